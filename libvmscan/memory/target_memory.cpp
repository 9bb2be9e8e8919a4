#include "libvmscan/memory/target_memory.h"

#include <algorithm>

namespace vmscan {
namespace {

// What looking at a target may cost, in bytes read: so many whatever it holds, and so many times what it holds. Heaps
// of real programs take two to three times.
constexpr std::uint64_t least_budget = 256 << 20, most_times = 64, cost_of_read = 256;

std::uint64_t sum_of(const std::vector<Range>& ranges) {
  Bytes sum = 0;
  for (const Range& range : ranges) sum += range.size();
  return *sum;
}

std::uint64_t in_ram_or_swap(const Facts& facts) {
  std::uint64_t sum = 0;
  for (const PageRun& run : facts.pages.runs()) sum += run.range.size();
  for (const Mapping& mapping : facts.mappings)
    if (mapping.counted) sum += mapping.counted->in_ram() + mapping.counted->swapped;
  return sum;
}

std::uint64_t budget_for(std::uint64_t bytes) {
  constexpr std::uint64_t most = std::uint64_t{1} << 62;
  return least_budget + (bytes < most / most_times ? bytes * most_times : most);
}

}  // namespace

TargetMemory::TargetMemory(const Facts& facts, const MemoryReader& reader)
    : facts_(facts), reader_(reader), word_bytes_(facts.target.pointer_bits == 32U ? 4 : 8), budget_(least_budget) {
  mappings_.reserve(facts.mappings.size());
  mappings_.reserve(facts.mappings.size());
  for (const Mapping& mapping : facts.mappings)
    if (!mapping.range.empty()) mappings_.push_back(&mapping);
  const auto by_address = [](const Mapping* a, const Mapping* b) { return a->range.begin < b->range.begin; };
  if (!std::is_sorted(mappings_.begin(), mappings_.end(), by_address))
    std::stable_sort(mappings_.begin(), mappings_.end(), by_address);
  for (const Mapping* mapping : mappings_)
    if (!mapped_.empty() && mapping->range.begin <= mapped_.back().end)
      mapped_.back().end = std::max(mapped_.back().end, mapping->range.end);
    else
      mapped_.push_back(mapping->range);
  find_held();
  budget_ = budget_for(facts.pages_known ? in_ram_or_swap(facts) : sum_of(held_ ? *held_ : mapped_));
}

/// Of a file: a mapping in it may be larger than anything that exists.
void TargetMemory::find_held() {
  if (facts_.pages_known || (facts_.target.kind != TargetKind::Core && facts_.target.kind != TargetKind::Minidump))
    return;
  if (auto held = reader_.present(mapped_)) held_ = std::move(*held);
}

/// How many bytes from there on, at most `most`, lie in pages that may be read, as far as that is known.
std::uint64_t TargetMemory::touched_from(Address address, std::uint64_t most) const {
  const auto range = Range::make(address, most);
  if (!facts_.pages_known || !range) return most;
  const std::uint8_t wanted = facts_.all_pages ? page::present | page::swapped : page::present;
  Address end = address;
  for (const PageRun& run : facts_.pages.touching(*range)) {
    if (run.range.begin > end || (run.condition & wanted) == 0) {
      if (run.range.begin <= end && (run.condition & page::swapped) != 0) left_out_swapped_ = true;
      break;
    }
    end = run.range.end;
  }
  if (end >= range->end) return most;
  const Mapping* mapping = mapping_of(end);
  if (mapping == nullptr || !mapping->counted) return end - address;
  // Only sums are known of it.
  const Range rest{address - address % page_bytes(), mapping->range.end};
  const auto there = reader_.present(std::span(&rest, 1));
  if (!there || there->empty() || !there->front().contains(address)) return 0;
  return std::min(there->front().end, range->end) - address;
}

std::size_t TargetMemory::read(Address address, std::span<std::byte> buffer) const {
  return read_as_asked(address, buffer.first(static_cast<std::size_t>(touched_from(address, buffer.size()))));
}

std::size_t TargetMemory::read_once(Address address, std::span<std::byte> buffer) const {
  return read_as_asked(address, buffer.first(static_cast<std::size_t>(touched_from(address, buffer.size()))), Keep::No);
}

std::size_t TargetMemory::read_touched_since(Address address, std::span<std::byte> buffer) const {
  if (const auto range = Range::make(address, buffer.size()); range && swapped_out(*range))
    return read(address, buffer);
  return read_as_asked(address, buffer);
}

std::size_t TargetMemory::read_as_asked(Address address, std::span<std::byte> buffer, Keep keep) const {
  std::size_t done = 0;
  while (done < buffer.size() && !refused_ && !exhausted()) {
    const auto at = Range::make(address, done);
    if (!at) break;
    const auto count = keep == Keep::Yes ? reader_.read_some(at->end, buffer.subspan(done))
                                         : reader_.read_once(at->end, buffer.subspan(done));
    spent_.fetch_add(cost_of_read + count.value_or(0), std::memory_order_relaxed);
    if (!count) {
      const std::lock_guard guard(lock_);
      refusal_ = count.error();
      refused_ = true;
    }
    if (!count || *count == 0) break;
    done += std::min(*count, buffer.size() - done);
  }
  return done;
}

std::optional<Error> TargetMemory::refusal() const {
  if (!refused_) return std::nullopt;
  const std::lock_guard guard(lock_);
  return refusal_;
}

void TargetMemory::add_note_when_exhausted(std::vector<Note>& notes) const {
  const bool known = std::ranges::any_of(notes, [](const Note& note) { return note.code == "search_ended"; });
  if (exhausted() && !known)
    notes.push_back({"search_ended",
                     "structures in this memory lead to the same places again and again: the search was ended, and "
                     "what was not found until then is missing"});
}

std::optional<std::uint64_t> TargetMemory::word(Address address) const {
  std::byte bytes[8];
  const std::span<std::byte> buffer(bytes, word_bytes_);
  if (read(address, buffer) != word_bytes_) return std::nullopt;
  return word_at(buffer, 0);
}

/// Index of the first mapping that ends after the address.
std::size_t TargetMemory::index_after(Address address) const {
  const auto it = std::partition_point(mappings_.begin(), mappings_.end(),
                                       [&](const Mapping* mapping) { return mapping->range.end <= address; });
  return static_cast<std::size_t>(it - mappings_.begin());
}

const Mapping* TargetMemory::mapping_of(Address address) const {
  const std::size_t index = index_after(address);
  return index < mappings_.size() && mappings_[index]->range.contains(address) ? mappings_[index] : nullptr;
}

bool TargetMemory::writable(Address address) const {
  const Mapping* mapping = mapping_of(address);
  if (mapping == nullptr || !mapping->read || !mapping->write) return false;
  // A page of a file would be pulled in, with those around it.
  return mapping->inode == 0 || !facts_.pages_known || mapping->counted ||
         !facts_.pages.present({address, address + 1}).empty();
}

bool TargetMemory::any_mapped(Range range) const {
  const auto span =
      std::partition_point(mapped_.begin(), mapped_.end(), [&](Range each) { return each.end <= range.begin; });
  return span != mapped_.end() && span->begin < range.end;
}

bool TargetMemory::mapped(Range range) const {
  const auto span =
      std::partition_point(mapped_.begin(), mapped_.end(), [&](Range each) { return each.end <= range.begin; });
  return range.empty() || (span != mapped_.end() && span->contains(range));
}

std::vector<Range> TargetMemory::readable(Range range) const {
  std::vector<Range> parts;
  const auto add = [&](Range part) {
    if (part.empty()) return;
    if (!parts.empty() && parts.back().end == part.begin)
      parts.back().end = part.end;
    else
      parts.push_back(part);
  };
  for (std::size_t i = index_after(range.begin); i < mappings_.size(); ++i) {
    const Mapping& mapping = *mappings_[i];
    if (mapping.range.begin >= range.end) break;
    if (!mapping.read) continue;
    const Range part = mapping.range.intersect(range);
    if (facts_.pages_known) {
      // None where only sums were counted.
      for (const Range& held : facts_.all_pages ? facts_.pages.held(part) : facts_.pages.present(part)) add(held);
      if (swapped_out(part)) left_out_swapped_ = true;
    } else if (held_) {
      auto held =
          std::partition_point(held_->begin(), held_->end(), [&](Range each) { return each.end <= part.begin; });
      for (; held != held_->end() && held->begin < part.end; ++held) add(held->intersect(part));
    } else {
      add(part);
    }
  }
  return parts;
}

namespace {

/// Where no load tells: the kernel joins .bss with what the program maps behind it, and a runtime's memory is that.
Address before_runtimes(const Facts& facts, Range bss) {
  const auto part = std::partition_point(facts.runtimes.begin(), facts.runtimes.end(),
                                         [&](const RuntimePart& each) { return each.range.end <= bss.begin; });
  return part == facts.runtimes.end() ? bss.end : std::clamp(part->range.begin, bss.begin, bss.end);
}

}  // namespace

/// Of a live process every file was looked at that is mapped as an image.
bool TargetMemory::images_known() const { return facts_.target.kind == TargetKind::Process && !facts_.images.empty(); }

bool TargetMemory::of_image(const Mapping& mapping) const {
  const FileKey file = key_of(mapping);
  return !images_known() || facts_.images.contains(file) ||
         std::ranges::any_of(mappings_, [&](const Mapping* each) { return each->execute && key_of(*each) == file; });
}

void TargetMemory::find_images() const {
  loads_ = find_image_loads(facts_.mappings, facts_.images, facts_.target.page_size);
  for (std::size_t i = 0; i < mappings_.size(); ++i) {
    const Mapping& mapping = *mappings_[i];
    if (mapping.inode == 0 || mapping.shared || !mapping.write || !of_image(mapping)) continue;
    ImageData data{.of = mapping, .bss = {mapping.range.end, mapping.range.end}};
    const Mapping* next = i + 1 < mappings_.size() ? mappings_[i + 1] : nullptr;
    if (next != nullptr && next->range.begin == mapping.range.end && next->inode == 0 && next->write && !next->shared &&
        (next->path.empty() || next->path.starts_with("[anon:.bss")))
      data.bss.end = next->range.end;
    const auto load =
        std::ranges::find_if(loads_, [&](const ImageLoad& each) { return each.span.contains(mapping.range.begin); });
    data.load = load != loads_.end() ? &*load : nullptr;
    if (data.load != nullptr) data.bss.end = std::clamp(load->span.end, data.bss.begin, data.bss.end);
    image_data_.push_back(data);
  }
}

const std::vector<ImageLoad>& TargetMemory::image_loads() const {
  std::call_once(images_sought_, [this] { find_images(); });
  return loads_;
}

std::vector<Range> TargetMemory::image_data(bool (*is)(const TargetMemory&, std::string_view path)) const {
  image_loads();
  std::vector<Range> found;
  for (const ImageData& data : image_data_)
    if (is(*this, data.of.path)) found.push_back(all_of(data));
  return found;
}

Range TargetMemory::all_of(const ImageData& data) const {
  return {data.of.range.begin, data.load != nullptr ? data.bss.end : before_runtimes(facts_, data.bss)};
}

std::vector<Range> TargetMemory::image_bss() const {
  image_loads();
  std::vector<Range> found;
  for (const ImageData& data : image_data_) {
    const Range all = all_of(data);
    if (data.load == nullptr) {
      const Range behind{data.bss.begin, all.end};  // of what is mapped like an image and is no ELF file
      if (!images_known() || !behind.empty()) found.push_back(images_known() ? behind : all);
      continue;
    }
    for (const ElfSegment& segment : data.load->image->segments) {
      const Address begin = data.load->bias + segment.address;
      const Range zeros = all.intersect({begin + segment.file_size, begin + segment.memory_size});
      if (!zeros.empty()) found.push_back(zeros);
    }
  }
  return found;
}

bool TargetMemory::image_ends_known() const {
  image_loads();
  return std::ranges::all_of(image_data_,
                             [](const ImageData& data) { return data.bss.empty() || data.load != nullptr; });
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace vmscan
