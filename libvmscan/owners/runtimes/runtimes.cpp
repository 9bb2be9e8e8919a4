#include "libvmscan/owners/runtimes/runtimes.h"

#include <algorithm>
#include <array>
#include <map>

#include "libvmscan/memory/page_cache.h"

namespace vmscan {
namespace {

constexpr std::size_t most_parts = 1 << 18;  // 64 GiB of V8's pages

constexpr std::array recognisers{
    find_hotspot, find_go,         find_cpython,   find_mono,  find_coreclr,         find_ruby, find_luajit,
    find_v8,      find_v8_sandbox, find_v8_tables, find_cppgc, find_partition_alloc, find_php};

/// Keeps what overlaps nothing that was found before it, guesses last: hostile structures may say anything.
void keep_apart(std::vector<RuntimePart>& parts) {
  std::stable_partition(parts.begin(), parts.end(), [](const RuntimePart& part) { return !part.by_shape; });
  std::map<Address, RuntimePart*> kept;  // by where they begin
  for (RuntimePart& part : parts) {
    const auto after = kept.lower_bound(part.range.begin);
    const bool free_below = after == kept.begin() || !std::prev(after)->second->range.overlaps(part.range);
    const bool free_above = after == kept.end() || !after->second->range.overlaps(part.range);
    if (free_below && free_above) kept.emplace_hint(after, part.range.begin, &part);
  }
  std::vector<RuntimePart> sorted;
  sorted.reserve(kept.size());
  for (const auto& [begin, part] : kept) sorted.push_back(std::move(*part));
  parts = std::move(sorted);
}

}  // namespace

RuntimeScan::RuntimeScan(const TargetMemory& target) : memory(target), images(loaded_images(target)) {
  exported.reserve(images.size());
  for (const LoadedImage& image : images) exported.emplace_back(target, image);
  for (const Mapping& mapping : target.mappings()) {
    if (mapping.inode != 0 || mapping.shared || !mapping.path.empty()) continue;
    if (!reservations_.empty() && mapping.range.begin <= reservations_.back().end)
      reservations_.back().end = std::max(reservations_.back().end, mapping.range.end);
    else
      reservations_.push_back(mapping.range);
  }
}

Range RuntimeScan::reservation_with(Address address) const {
  const auto it =
      std::partition_point(reservations_.begin(), reservations_.end(), [&](Range each) { return each.end <= address; });
  return it != reservations_.end() && it->contains(address) ? *it : Range{};
}

/// Two pages at a time at most, so that what begins in one may end in the next.
const std::byte* RuntimeScan::bytes(Address address, std::size_t size) {
  const auto wanted = Range::make(address, size);
  if (!wanted || size > window_.size() / 2) return nullptr;
  if (address < window_begin_ || address - window_begin_ >= window_bytes_ ||
      size > window_bytes_ - (address - window_begin_)) {
    constexpr std::uint64_t page = 4096;
    const Address begin = address / page * page;
    const auto pages = Range::make(begin, window_.size());
    const std::vector<Range> in_ram = memory.readable(pages ? *pages : *wanted);
    const auto run = std::find_if(in_ram.begin(), in_ram.end(), [&](Range each) { return each.contains(*wanted); });
    window_bytes_ = 0;
    if (run == in_ram.end()) return nullptr;
    const std::uint64_t needed = wanted->end - run->begin <= page ? page : 2 * page;
    window_begin_ = run->begin;
    window_bytes_ = memory.read(
        run->begin, std::span(window_).first(static_cast<std::size_t>(std::min<std::uint64_t>(run->size(), needed))));
    if (address - window_begin_ > window_bytes_ || size > window_bytes_ - (address - window_begin_)) return nullptr;
  }
  return window_.data() + (address - window_begin_);
}

std::optional<std::uint64_t> RuntimeScan::word(Address address) {
  const std::byte* found = bytes(address, memory.word_bytes());
  return found != nullptr ? std::optional(memory.word_at({found, memory.word_bytes()}, 0)) : std::nullopt;
}

std::optional<std::uint32_t> RuntimeScan::half(Address address) {
  const std::byte* found = bytes(address, 4);
  return found != nullptr ? std::optional(memory.half_at({found, 4}, 0)) : std::nullopt;
}

bool RuntimeScan::object(Address address) const {
  return address % memory.word_bytes() == 0 && memory.writable(address);
}

void RuntimeScan::add_objects(Range data, Range image, std::vector<Address>& found) const {
  const std::size_t word = memory.word_bytes();
  for_each_piece(memory, data, [&](Address, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i + word <= bytes.size(); i += word) {
      const Address address = memory.word_at(bytes, i);
      if (address != 0 && !image.contains(address) && object(address)) found.push_back(address);
    }
    return true;
  });
}

namespace {

std::vector<Address> each_once(std::vector<Address> found) {
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace

std::vector<Address> RuntimeScan::objects_pointed_to(Range image) const {
  std::vector<Address> found;
  for (const Mapping& mapping : memory.mappings())
    if (mapping.write && !mapping.shared && image.overlaps(mapping.range))
      add_objects(mapping.range.intersect(image), image, found);
  return each_once(std::move(found));
}

std::vector<Address> RuntimeScan::objects_pointed_to_from_bss(Range image) const {
  std::vector<Address> found;
  for (const Range& bss : memory.image_bss())
    if (image.contains(bss)) add_objects(bss, image, found);
  return each_once(std::move(found));
}

bool RuntimeScan::calls_into(const Mapping& mapping, Range image) const {
  constexpr std::uint64_t most_bytes = 256 << 10;
  const std::size_t word = memory.word_bytes();
  const Range first{mapping.range.begin, mapping.range.begin + std::min(mapping.range.size(), most_bytes)};
  return !for_each_piece(memory, first, [&](Address, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i + word <= bytes.size(); ++i)
      if (image.contains(memory.word_at(bytes, i))) return false;
    return true;
  });
}

bool RuntimeScan::taken(Range range) const {
  const auto after = taken_.upper_bound(range.begin);
  return after != taken_.begin() && std::prev(after)->second >= range.end;
}

void RuntimeScan::add(Range range, std::string_view details, std::string evidence, std::string_view block) {
  if (range.empty() || parts.size() >= most_parts) return;
  Address& end = taken_[range.begin];
  end = std::max(end, range.end);
  parts.push_back({.range = range,
                   .details = std::string(details),
                   .block = std::string(block),
                   .evidence = std::move(evidence),
                   .by_shape = false,
                   .native = false});
}

void RuntimeScan::add_native(Range range, std::string_view details, std::string evidence) {
  add(range, details, std::move(evidence));
  if (!parts.empty() && parts.back().range == range) parts.back().native = true;
}

void RuntimeScan::add_by_shape(Range range, std::string_view details, std::string evidence) {
  add(range, details, std::move(evidence));
  if (!parts.empty() && parts.back().range == range) parts.back().by_shape = true;
}

std::vector<RuntimePart> runtime_parts(const TargetMemory& memory) {
  RuntimeScan scan(memory);
  for (const auto find : recognisers) find(scan);
  keep_apart(scan.parts);
  return std::move(scan.parts);
}

void find_runtime_parts(Facts& facts, const MemoryReader& reader) {
  const TargetMemory memory(facts, reader);
  facts.runtimes = runtime_parts(memory);
}

}  // namespace vmscan
