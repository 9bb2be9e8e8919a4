#include "libvmscan/source/elf/core_memory.h"

#include <algorithm>

namespace vmscan {

Result<std::size_t> CoreMemory::do_read(Address address, std::span<std::byte> buffer) const {
  const auto at = std::partition_point(core_.segments.begin(), core_.segments.end(),
                                       [&](const CoreSegment& segment) { return segment.range.end <= address; });
  if (at == core_.segments.end() || !at->range.contains(address)) return std::size_t{0};
  const std::uint64_t inside = address - at->range.begin;
  if (inside >= at->held) return std::size_t{0};
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), at->held - inside));
  return file_.read(at->offset + inside, buffer.first(count));
}

}  // namespace vmscan
