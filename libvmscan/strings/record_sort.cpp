#include "libvmscan/strings/record_sort.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vmscan {
namespace {

using Record = std::string_view;
using Take = std::function<bool(Record)>;

constexpr std::size_t most_runs = 16;  // of one level; each is open and holds a buffer
constexpr std::size_t file_buffer_bytes = 1 << 16;

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

Error file_error(std::string_view what) {
  return {ErrorCode::Io, "temporary file for sorting: " + std::string(what) + ": " + std::strerror(errno)};
}

/// Joins equal records that come one after the other, and passes on what is done.
class Combiner {
 public:
  Combiner(const RecordOrder& order, const Take& take) : order_(order), take_(take) {}

  bool add(Record record) {
    if (!order_.combine) return take_(record);
    if (!held_.empty()) {
      if (order_.combine(head_, text_of(held_), record)) return true;
      if (!flush()) return false;
    }
    held_ = record;
    head_ = head_of(record);
    return true;
  }

  bool flush() {
    if (held_.empty()) return true;
    std::memcpy(held_.data(), &head_, sizeof head_);
    const bool more = take_(held_);
    held_.clear();
    return more;
  }

 private:
  const RecordOrder& order_;
  const Take& take_;
  std::string held_;
  StringRecord head_;
};

/// A sorted file that is read from its beginning.
class Reader {
 public:
  explicit Reader(std::FILE* file) : file_(file) {}

  /// False at the end, or on an error, which ferror() tells.
  bool next() {
    StringRecord head;
    if (std::fread(&head, sizeof head, 1, file_) != 1) return false;
    record_.resize(sizeof head + head.text_size);
    std::memcpy(record_.data(), &head, sizeof head);
    return head.text_size == 0 || std::fread(record_.data() + sizeof head, head.text_size, 1, file_) == 1;
  }
  Record record() const { return record_; }

 private:
  std::FILE* file_;
  std::string record_;
};

}  // namespace

/// The sorted parts. Files of one level have about the same size: `most_runs` of them become one of the next.
class RecordSort::Runs {
 public:
  Runs(const RecordOrder& order, OpenTemporary open) : order_(order), open_(std::move(open)) {}

  bool empty() const { return levels_.empty(); }

  /// `write` hands the records of a new part to what it is called with.
  Result<void> add(const std::function<bool(const Take&)>& write) {
    auto file = written(write);
    if (!file) return std::unexpected(file.error());
    return place(std::move(*file), 0);
  }

  Result<void> merge(const Take& take) {
    std::vector<std::FILE*> files;
    for (const auto& level : levels_)
      for (const File& file : level) files.push_back(file.get());
    return merge(files, take);
  }

 private:
  Result<File> written(const std::function<bool(const Take&)>& write) const {
    errno = 0;
    File file(open_ ? open_() : nullptr);
    if (!file) return std::unexpected(file_error("cannot be made"));
    std::setvbuf(file.get(), nullptr, _IOFBF, file_buffer_bytes);
    const bool good =
        write([&](Record record) { return std::fwrite(record.data(), record.size(), 1, file.get()) == 1; });
    if (!good || std::fflush(file.get()) != 0 || std::fseek(file.get(), 0, SEEK_SET) != 0)
      return std::unexpected(file_error("cannot be written"));
    return file;
  }

  Result<void> place(File file, std::size_t level) {
    if (levels_.size() == level) levels_.emplace_back();
    levels_[level].push_back(std::move(file));
    if (levels_[level].size() < most_runs) return {};
    std::vector<std::FILE*> files;
    for (const File& each : levels_[level]) files.push_back(each.get());
    Result<void> merged;
    auto joined = written([&](const Take& take) {
      merged = merge(files, take);
      return merged.has_value();
    });
    if (!joined) return std::unexpected(merged ? joined.error() : merged.error());
    levels_[level].clear();
    return place(std::move(*joined), level + 1);
  }

  Result<void> merge(const std::vector<std::FILE*>& files, const Take& take) const {
    std::vector<Reader> readers;
    std::vector<std::pair<std::uint64_t, std::size_t>> heap;  // prefix, reader; the first record on top
    const auto later = [&](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first > b.first;
      return order_.less(readers[b.second].record(), readers[a.second].record());
    };
    const auto push = [&](std::size_t i) {
      if (!readers[i].next()) return;
      heap.emplace_back(order_.prefix(readers[i].record()), i);
      std::push_heap(heap.begin(), heap.end(), later);
    };
    for (std::FILE* file : files) readers.emplace_back(file);
    for (std::size_t i = 0; i < readers.size(); ++i) push(i);
    Combiner combiner(order_, take);
    bool more = true;
    while (more && !heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), later);
      const std::size_t i = heap.back().second;
      heap.pop_back();
      more = combiner.add(readers[i].record());
      push(i);
    }
    if (more) combiner.flush();
    for (std::FILE* file : files)
      if (std::ferror(file) != 0) return std::unexpected(file_error("cannot be read"));
    return {};
  }

  const RecordOrder& order_;
  OpenTemporary open_;
  std::vector<std::vector<File>> levels_;
};

RecordSort::RecordSort(RecordOrder order, OpenTemporary open, std::size_t memory_bytes)
    : order_(std::move(order)), memory_bytes_(memory_bytes), runs_(std::make_unique<Runs>(order_, std::move(open))) {}
RecordSort::~RecordSort() = default;

Record RecordSort::record_at(const Entry& entry) const {
  Record rest = Record(records_).substr(entry.offset);
  return take_record(rest);
}

Result<void> RecordSort::add(const StringRecord& head, std::string_view text) {
  const std::size_t size = sizeof head + text.size();
  if (!entries_.empty() && records_.size() + size + (entries_.size() + 1) * sizeof(Entry) > memory_bytes_) {
    const auto written = runs_->add([&](const Take& take) { return pass_on(take); });
    if (!written) return written;
    records_.clear();
    entries_.clear();
  }
  if (records_.capacity() < memory_bytes_)
    records_.reserve(memory_bytes_);  // no copies; what is not used costs nothing
  const auto offset = static_cast<std::uint32_t>(records_.size());
  append_record(head, text, records_);
  entries_.push_back({order_.prefix(Record(records_).substr(offset)), offset});
  return {};
}

void RecordSort::sort() {
  std::sort(entries_.begin(), entries_.end(), [this](const Entry& a, const Entry& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : order_.less(record_at(a), record_at(b));
  });
}

bool RecordSort::pass_on(const Take& take) {
  sort();
  Combiner combiner(order_, take);
  for (const Entry& entry : entries_)
    if (!combiner.add(record_at(entry))) return false;
  return combiner.flush();
}

Result<void> RecordSort::each(const Take& take) {
  if (runs_->empty()) {
    pass_on(take);
    return {};
  }
  const auto written = runs_->add([&](const Take& write) { return pass_on(write); });
  records_ = {};
  entries_ = {};
  if (!written) return written;
  return runs_->merge(take);
}

}  // namespace vmscan
