#include "libvmscan/source/elf/core_memory.h"

#include <algorithm>

#include "libvmscan/base/range_list.h"

namespace vmscan {
namespace {

Range held_part(const CoreSegment& segment) { return {segment.range.begin, segment.range.begin + segment.held}; }
Range held_part(const FileBacking& backing) { return backing.range; }

template <class Item>
void add_parts(const std::vector<Item>& items, Range wanted, std::vector<Range>& parts) {
  for (auto item = first_behind(items, wanted.begin); item != items.end() && item->range.begin < wanted.end; ++item)
    if (const Range part = held_part(*item).intersect(wanted); !part.empty()) parts.push_back(part);
}

}  // namespace

Result<std::size_t> CoreMemory::do_read(Address address, std::span<std::byte> buffer) const {
  if (const CoreSegment* segment = item_at(core_.segments, address)) {
    const std::uint64_t inside = address - segment->range.begin;
    if (inside < segment->held) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), segment->held - inside));
      return file_.read(segment->offset + inside, buffer.first(count));
    }
  }
  const FileBacking* backing = item_at(backing_, address);
  if (backing == nullptr) return std::size_t{0};
  const std::uint64_t inside = address - backing->range.begin;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), backing->range.size() - inside));
  return backing->file.read(backing->offset + inside, buffer.first(count));
}

Result<std::vector<Range>> CoreMemory::do_present(std::span<const Range> ranges) const {
  std::vector<Range> parts;
  for (const Range& wanted : ranges) {
    add_parts(core_.segments, wanted, parts);
    add_parts(backing_, wanted, parts);
  }
  std::sort(parts.begin(), parts.end(), [](Range a, Range b) { return a.begin < b.begin; });
  return parts;
}

std::optional<FileBytes> CoreMemory::do_mapped_file(const Mapping& mapping) const {
  const auto file = files_.find(key_of(mapping));
  return mapping.inode != 0 && file != files_.end() ? std::optional(file->second.bytes) : std::nullopt;
}

}  // namespace vmscan
