#include "libvmscan/model/heap_contents.h"

#include <algorithm>
#include <cmath>

namespace vmscan {

BlockSum& BlockSum::operator+=(const BlockSum& other) {
  blocks += other.blocks;
  bytes += other.bytes;
  return *this;
}

PartBytes& PartBytes::operator+=(const PartBytes& other) {
  live += other.live;
  cached += other.cached;
  free += other.free;
  overhead += other.overhead;
  unread += other.unread;
  return *this;
}

HeapResidency& HeapResidency::operator+=(const HeapResidency& other) {
  in_ram += other.in_ram;
  swapped += other.swapped;
  trimmable += other.trimmable;
  shared_free += other.shared_free;
  shared_pages += other.shared_pages;
  sharing_blocks += other.sharing_blocks;
  half_used_pages += other.half_used_pages;
  half_used_free += other.half_used_free;
  half_used_trimmable += other.half_used_trimmable;
  return *this;
}

HeapTotals& HeapTotals::operator+=(const HeapTotals& other) {
  size += other.size;
  in_ram = in_ram + other.in_ram;
  live += other.live;
  cached += other.cached;
  free += other.free;
  top += other.top;
  largest_free = std::max(largest_free, other.largest_free);
  overhead += other.overhead;
  unread += other.unread;
  broken += other.broken;
  if (residency && other.residency)
    *residency += *other.residency;
  else
    residency.reset();
  return *this;
}

std::optional<std::uint64_t> HeapTotals::fragmentation() const {
  const std::uint64_t idle = cached.bytes + free.bytes - std::min(free.bytes, top), all = live.bytes + idle;
  if (all == 0) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(idle) / static_cast<double>(all) * 10000));
}

HeapTotals HeapContents::total() const {
  HeapTotals total{.allocator = {}, .name = "Total", .ranges = {}, .in_ram = 0};
  total.residency.emplace();
  for (const HeapTotals& heap : heaps) total += heap;
  return total;
}

BlockSum HeapContents::live_of(std::uint64_t request) const {
  BlockSum sum;
  for (const SizeTotals& size : sizes)
    if (size.least_request <= request && request <= size.most_request) sum += size.live;
  return sum;
}

BlockSum HeapContents::live_of(std::string_view type_name) const {
  BlockSum sum;
  for (const ObjectTotals& type : types)
    if (type.name == type_name) sum += type.live;
  return sum;
}

}  // namespace vmscan
