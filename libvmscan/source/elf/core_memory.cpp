#include "libvmscan/source/elf/core_memory.h"

#include <algorithm>

namespace vmscan {
namespace {

template <class Item>
const Item* item_at(const std::vector<Item>& items, Address address) {
  const auto at =
      std::partition_point(items.begin(), items.end(), [&](const Item& item) { return item.range.end <= address; });
  return at != items.end() && at->range.contains(address) ? &*at : nullptr;
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

}  // namespace vmscan
