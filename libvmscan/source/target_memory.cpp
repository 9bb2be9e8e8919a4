#include "libvmscan/source/target_memory.h"

#include <algorithm>

namespace vmscan {
TargetMemory::TargetMemory(const Facts& facts, const MemoryReader& reader)
    : facts_(facts), reader_(reader), word_bytes_(facts.target.pointer_bits == 32U ? 4 : 8) {
  mappings_.reserve(facts.mappings.size());
  for (const Mapping& mapping : facts.mappings)
    if (!mapping.range.empty()) mappings_.push_back(&mapping);
  const auto by_address = [](const Mapping* a, const Mapping* b) { return a->range.begin < b->range.begin; };
  if (!std::is_sorted(mappings_.begin(), mappings_.end(), by_address))
    std::stable_sort(mappings_.begin(), mappings_.end(), by_address);
}

std::size_t TargetMemory::read(Address address, std::span<std::byte> buffer) const {
  std::size_t done = 0;
  while (done < buffer.size() && !refused_) {
    const auto at = Range::make(address, done);
    if (!at) break;
    const auto count = reader_.read_some(at->end, buffer.subspan(done));
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

bool TargetMemory::mapped(Range range) const {
  Address covered = range.begin;
  for (std::size_t i = index_after(range.begin); i < mappings_.size() && covered < range.end; ++i) {
    if (mappings_[i]->range.begin > covered) return false;
    covered = mappings_[i]->range.end;
  }
  return covered >= range.end;
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
    if (!facts_.pages_known)
      add(part);
    else
      for (const Range& present : facts_.pages.present(part)) add(present);  // none where only sums were counted
  }
  return parts;
}

namespace {

/// The kernel joins .bss with what the program maps behind it: it ends where a runtime's memory begins, if that is
/// known.
Address end_of_bss(const Facts& facts, Range mapping) {
  const auto part = std::partition_point(facts.runtimes.begin(), facts.runtimes.end(),
                                         [&](const RuntimePart& each) { return each.range.end <= mapping.begin; });
  return part == facts.runtimes.end() ? mapping.end : std::clamp(part->range.begin, mapping.begin, mapping.end);
}

}  // namespace

std::vector<Range> TargetMemory::image_data(bool (*is)(const TargetMemory&, std::string_view path)) const {
  std::vector<Range> found;
  for (std::size_t i = 0; i < mappings_.size(); ++i) {
    const Mapping& mapping = *mappings_[i];
    if (mapping.inode == 0 || mapping.shared || !mapping.write || !is(*this, mapping.path)) continue;
    Range data = mapping.range;
    const Mapping* next = i + 1 < mappings_.size() ? mappings_[i + 1] : nullptr;
    if (next != nullptr && next->range.begin == data.end && next->inode == 0 && next->write && !next->shared &&
        (next->path.empty() || next->path.starts_with("[anon:.bss")))
      data.end = end_of_bss(facts_, next->range);
    found.push_back(data);
  }
  return found;
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace vmscan
