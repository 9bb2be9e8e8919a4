#include "libvmscan/strings/scan_memory.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>

#include "libvmscan/base/run_on_threads.h"

namespace vmscan {
namespace {

constexpr unsigned most_threads = 8;
constexpr std::size_t hole_step = 4096;  // how far a hole reaches at least: the smallest page there is
/// What a thread takes at once: the kernel has a lock for each page table, of which many cover 2 MiB.
constexpr std::uint64_t batch_bytes = std::uint64_t{2} << 20;
constexpr std::size_t most_in_batch = 8;  // pieces
/// A piece stays in its processor's cache while it is searched, and with it the strings. Where they are only counted,
/// fewer calls of the kernel are worth more (measured: 512 KiB of cache, 5 %).
constexpr std::size_t usual_piece = std::size_t{256} << 10, counted_piece = std::size_t{1} << 20;

std::size_t piece_bytes(const ScanOptions& options) {
  if (options.piece_bytes > 0) return options.piece_bytes;
  return options.count_only ? counted_piece : usual_piece;
}

/// What could be read of a piece, without a hole in it, and what it tells for itself.
struct Part {
  Address address = 0;
  std::size_t offset = 0, size = 0;            // in what was read
  std::size_t inner_begin = 0, inner_end = 0;  // from the start of the part; both 0: no such places
  Rendered rendered;                           // of what lies in between
  std::size_t kept = 0;                        // where in Slot::kept the rest of it lies: head and tail
};

struct Piece {
  Range range;
  std::size_t region = 0;
};

struct Slot {
  Piece piece;
  std::vector<Part> parts;
  std::vector<std::uint8_t> kept;  // the bytes that must be searched together with what lies around the piece
  std::uint64_t unreadable_bytes = 0;
  std::optional<Error> error;
  std::exception_ptr thrown;
  bool ready = false;
};

/// What a thread works with: room that is used again for each piece, so that it stays in the cache of its processor.
struct Tools {
  explicit Tools(const ScanOptions& options)
      : buffer(piece_bytes(options) + alignment), finder(options.encodings, options.min_characters) {}

  /// Begins at a page, which the kernel copies faster, and no vector that is loaded from it lies in two cache lines.
  std::span<std::uint8_t> room() {
    void* at = buffer.data();
    std::size_t size = buffer.size();
    std::align(alignment, 1, at, size);
    return {static_cast<std::uint8_t*>(at), size};
  }

  static constexpr std::size_t alignment = 4096;
  std::vector<std::uint8_t> buffer;
  StringFinder finder;
  InnerStrings inner;
};

/// Reads and searches single pieces.
class Searcher {
 public:
  Searcher(const MemoryReader& memory, const ScanOptions& options, const Render& render)
      : memory_(memory), options_(options), render_(render) {}

  void search(Slot& slot, Tools& tools) const {
    slot.parts.clear();
    slot.kept.clear();
    slot.unreadable_bytes = 0;
    read(slot, tools.room());
    for (Part& part : slot.parts) search(slot, part, tools);
  }

  void render(const StringBatch& batch, std::size_t count, Rendered& out) const {
    if (options_.count_only)
      out.strings += count;
    else if (count > 0)
      render_(batch, out);
  }

 private:
  void read(Slot& slot, std::span<std::uint8_t> room) const {
    const std::size_t size = static_cast<std::size_t>(slot.piece.range.size());
    bool touches = false;  // the last part
    for (std::size_t at = 0; at < size;) {
      const Address address = slot.piece.range.begin + at;
      const auto buffer = std::as_writable_bytes(room).subspan(at, size - at);
      const auto got = memory_.read_some(address, buffer);
      if (!got && got.error().code != ErrorCode::Io) {
        slot.error = got.error();
        return;
      }
      const std::size_t read = got ? std::min(*got, buffer.size()) : 0;
      if (read > 0) {
        if (touches)
          slot.parts.back().size += read;
        else
          slot.parts.push_back({address, at, read, 0, 0, {}, 0});
      }
      touches = read > 0;
      at += read;
      if (touches) continue;
      const std::size_t hole = std::min(size - at, hole_step - static_cast<std::size_t>(address % hole_step));
      slot.unreadable_bytes += hole;
      at += hole;
    }
  }

  void search(Slot& slot, Part& part, Tools& tools) const {
    const auto bytes = std::span<const std::uint8_t>(tools.room()).subspan(part.offset, part.size);
    InnerStrings& inner = tools.inner;
    if (options_.count_only)
      tools.finder.count_inner(bytes, inner);
    else
      tools.finder.find_inner(bytes, inner);
    part.inner_begin = inner.begin;
    part.inner_end = inner.end;
    render({part.address, bytes, inner.strings, slot.piece.region, false}, inner.count, part.rendered);
    part.kept = slot.kept.size();
    const auto head = bytes.first(part.inner_begin), tail = bytes.subspan(part.inner_end);
    slot.kept.insert(slot.kept.end(), head.begin(), head.end());
    slot.kept.insert(slot.kept.end(), tail.begin(), tail.end());
  }

  const MemoryReader& memory_;
  const ScanOptions& options_;
  const Render& render_;
};

/// Puts together, in order, what the pieces tell and what lies across their ends.
class Merger {
 public:
  Merger(const Searcher& searcher, const ScanOptions& options, const Deliver& deliver, ScanTotals& totals)
      : searcher_(searcher),
        options_(options),
        deliver_(deliver),
        totals_(totals),
        finder_(options.encodings, options.min_characters) {}

  /// False: no more is wanted.
  bool add(Slot& slot) {
    totals_.unreadable_bytes += slot.unreadable_bytes;
    for (Part& part : slot.parts) {
      totals_.read_bytes += part.size;
      if (!carry_.empty() && (end_ != part.address || region_ != slot.piece.region) && !finish()) return false;
      if (!add(part, std::span<const std::uint8_t>(slot.kept).subspan(part.kept), slot.piece.region)) return false;
    }
    return true;
  }

  /// Searches what is left over; nothing follows it.
  bool finish() {
    const bool goes_on = carry_.empty() || search(false);
    carry_.clear();
    return goes_on;
  }

 private:
  /// `kept`: begins with head and tail of the part.
  bool add(Part& part, std::span<const std::uint8_t> kept, std::size_t region) {
    if (part.inner_end == 0) {
      carry(part.address, kept.first(part.size), region);
      return split();
    }
    carry(part.address, kept.first(part.inner_begin), region);
    if (!finish() || !send(part.rendered)) return false;
    carry(part.address + part.inner_end, kept.subspan(part.inner_begin, part.size - part.inner_end), region);
    return true;
  }

  void carry(Address address, std::span<const std::uint8_t> bytes, std::size_t region) {
    if (carry_.empty()) begin_ = address;
    carry_.insert(carry_.end(), bytes.begin(), bytes.end());
    end_ = address + bytes.size();
    region_ = region;
  }

  /// Delivers what is longer than the longest string, but for the character that the end may have cut off. Keeps enough
  /// for the last part to be a string, too.
  bool split() {
    while (carry_.size() > longest_string + 4 * options_.min_characters) {
      std::vector<std::uint8_t> rest(carry_.begin() + longest_string, carry_.end());
      carry_.resize(longest_string);
      const std::size_t used = last_whole_character();
      rest.insert(rest.begin(), carry_.begin() + static_cast<std::ptrdiff_t>(used), carry_.end());
      carry_.resize(used);
      if (!search(true)) return false;
      begin_ += used;
      carry_ = std::move(rest);
    }
    return true;
  }

  /// Where the last character of the carry begins when it may go on behind it, else the size of the carry.
  std::size_t last_whole_character() {
    finder_.find(carry_, found_);
    if (found_.empty()) return carry_.size();
    const std::size_t end = found_.back().offset + found_.back().size;
    return carry_.size() - end < 4 ? end : carry_.size();
  }

  bool search(bool continues) {
    finder_.find(carry_, found_);
    const bool touches = !found_.empty() && found_.back().offset + found_.back().size == carry_.size();
    Rendered rendered;
    searcher_.render({begin_, carry_, found_, region_, continues && touches}, found_.size(), rendered);
    return send(rendered);
  }

  bool send(Rendered& rendered) {
    if (rendered.strings == 0) return true;
    totals_.strings += rendered.strings;
    totals_.stopped = !deliver_(rendered);
    return !totals_.stopped;
  }

  const Searcher& searcher_;
  const ScanOptions& options_;
  const Deliver& deliver_;
  ScanTotals& totals_;
  StringFinder finder_;
  std::vector<FoundString> found_;
  std::vector<std::uint8_t> carry_;
  Address begin_ = 0, end_ = 0;
  std::size_t region_ = 0;
};

/// Hands out pieces to threads, a few that lie together at a time, and their results in order: whoever finishes the
/// piece that is next delivers it, and what is ready behind it. So no thread waits for another but when all slots are
/// taken, which spares thousands of switches.
class Line {
 public:
  /// `deliver` is never called by two threads at once. False: no more is wanted.
  Line(std::span<const Extent> extents, std::size_t piece_bytes, std::size_t slots, std::function<bool(Slot&)> deliver)
      : extents_(extents), piece_bytes_(piece_bytes), deliver_(std::move(deliver)), slots_(slots) {}

  /// Until nothing is left; on as many threads as wanted.
  void work(const Searcher& searcher, Tools tools) noexcept {
    for (Batch batch = claim(); batch.begin != batch.end; batch = claim())
      for (std::size_t i = batch.begin; i != batch.end; ++i) {
        Slot& slot = slot_of(i);
        try {
          searcher.search(slot, tools);
        } catch (...) {
          slot.thrown = std::current_exception();
        }
        if (!finish(slot)) return;
      }
  }

  /// What a thread threw, when all have ended.
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  /// Numbers of pieces: empty when nothing is left.
  struct Batch {
    std::size_t begin = 0, end = 0;
  };

  Slot& slot_of(std::size_t number) { return slots_[number % slots_.size()]; }

  Batch claim() {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] {
      return stopped_ || extent_ == extents_.size() || claimed_ - taken_ + most_in_batch <= slots_.size();
    });
    Batch batch{claimed_, claimed_};
    if (stopped_ || extent_ == extents_.size()) return batch;
    const std::uint64_t place = (extents_[extent_].range.begin + offset_) / batch_bytes;
    do {
      claim_piece();
      ++batch.end;
    } while (batch.end - batch.begin < most_in_batch && extent_ < extents_.size() &&
             (extents_[extent_].range.begin + offset_) / batch_bytes == place);
    return batch;
  }

  void claim_piece() {
    const Extent& extent = extents_[extent_];
    const std::uint64_t size = std::min<std::uint64_t>(piece_bytes_, extent.range.size() - offset_);
    const Address begin = extent.range.begin + offset_;
    slot_of(claimed_++).piece = {{begin, begin + size}, extent.region};
    offset_ += size;
    if (offset_ == extent.range.size()) ++extent_, offset_ = 0;
  }

  /// False: no more is wanted.
  bool finish(Slot& done) {
    std::unique_lock lock(mutex_);
    done.ready = true;
    if (delivering_) return !stopped_;
    delivering_ = true;
    for (Slot* slot = &slot_of(taken_); slot->ready && !stopped_; slot = &slot_of(taken_)) {
      lock.unlock();
      const bool goes_on = deliver(*slot);
      lock.lock();
      slot->ready = false;
      ++taken_;
      stopped_ = stopped_ || !goes_on;
      if (claimed_ - taken_ == slots_.size() / 2) room_.notify_all();  // who waits need not wait for the last
    }
    delivering_ = false;
    room_.notify_all();
    return !stopped_;
  }

  bool deliver(Slot& slot) {
    try {
      if (slot.thrown) std::rethrow_exception(slot.thrown);
      return deliver_(slot);
    } catch (...) {
      thrown_ = std::current_exception();
      return false;
    }
  }

  std::span<const Extent> extents_;
  std::size_t piece_bytes_;
  std::function<bool(Slot&)> deliver_;
  std::mutex mutex_;
  std::condition_variable room_;  // a slot is free, or nothing is left to claim
  std::vector<Slot> slots_;
  std::size_t extent_ = 0;  // where the next piece begins
  std::uint64_t offset_ = 0;
  std::size_t claimed_ = 0, taken_ = 0;
  bool delivering_ = false, stopped_ = false;
  std::exception_ptr thrown_;
};

unsigned thread_count(const ScanOptions& options) {
  return options.threads > 0 ? options.threads : std::min(processors(), most_threads);
}

}  // namespace

Result<void> scan_memory(const MemoryReader& memory, std::span<const Extent> extents, const ScanOptions& options,
                         const Render& render, const Deliver& deliver, ScanTotals& totals) {
  const unsigned threads = thread_count(options);
  const Searcher searcher(memory, options, render);
  Merger merger(searcher, options, deliver, totals);
  std::optional<Error> error;
  Line line(extents, piece_bytes(options), most_in_batch * (threads + 2), [&](Slot& slot) {
    if (!merger.add(slot)) return false;
    error = slot.error;
    if (!error && options.goes_on && !options.goes_on(totals)) totals.stopped = true;
    return !error && !totals.stopped;
  });
  const auto work = [&] { line.work(searcher, Tools(options)); };
  run_on_threads(threads, work);
  line.rethrow();
  if (!totals.stopped) merger.finish();
  if (error) return std::unexpected(*error);
  return {};
}

}  // namespace vmscan
