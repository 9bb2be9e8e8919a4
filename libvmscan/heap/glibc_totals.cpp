// malloc's own totals against what was found: system_mem of each arena, and n_mmaps and mmapped_mem of malloc_par.
#include <algorithm>

#include "libvmscan/heap/glibc_walk.h"

namespace vmscan {
namespace {

/// system_mem stands two words behind `next`, or three where attached_threads came between (2.23). Next to it stands
/// max_system_mem, which is never less; attached_threads is less than a page.
std::uint64_t system_bytes(const TargetMemory& memory, const GlibcLayout& layout, const GlibcArena& arena) {
  std::uint64_t least = 0;
  for (const std::size_t behind : {2 * layout.word, 3 * layout.word}) {
    const std::uint64_t value = memory.word(arena.address + layout.next + behind).value_or(0);
    const bool possible = value >= memory.page_bytes() && value % layout.header() == 0;
    if (possible && (least == 0 || value < least)) least = value;
  }
  return least;
}

/// Both kinds together are one shortfall.
void add(HeapShortfall::Figures figures, Bytes blocks, Bytes bytes, std::vector<HeapShortfall>& shortfalls) {
  HeapShortfall shortfall{.allocator = "glibc", .figures = figures, .blocks = blocks, .bytes = bytes};
  const auto same = std::ranges::find_if(shortfalls, [&](const HeapShortfall& each) {
    return each.allocator == shortfall.allocator && each.figures == figures && each.reason == shortfall.reason;
  });
  if (same == shortfalls.end()) return shortfalls.push_back(std::move(shortfall));
  same->blocks += blocks;
  same->bytes += bytes;
}

/// What arenas take from the system, beyond their parts that were found.
std::uint64_t missing_of_arenas(const TargetMemory& memory, const GlibcHeaps& found) {
  const std::uint64_t page = memory.page_bytes();
  std::uint64_t missing = 0;
  for (const GlibcArena& arena : found.arenas) {
    std::uint64_t sum = 0;
    for (const GlibcHeap& heap : arena.heaps)
      if (heap.first_chunk != 0) sum += (heap.range.size() + page - 1) / page * page;
    const std::uint64_t counted = system_bytes(memory, found.layout, arena);
    if (counted > sum) missing += std::min(counted - sum, Bytes::max_value - missing);
  }
  return missing;
}

}  // namespace

void check_glibc_arenas(const TargetMemory& memory, const GlibcHeaps& found, HeapShortfall::Figures figures,
                        std::vector<HeapShortfall>& shortfalls) {
  if (const std::uint64_t missing = missing_of_arenas(memory, found); missing > 0)
    add(figures, {}, missing, shortfalls);
}

void check_glibc_mapped(const GlibcHeaps& found, std::span<const GlibcMappedBlock> blocks,
                        HeapShortfall::Figures figures, std::vector<HeapShortfall>& shortfalls) {
  if (!found.mapped) return;
  BlockSum sum;
  for (const GlibcMappedBlock& block : blocks) sum.add(block.range.size());
  const GlibcMapped& counted = *found.mapped;
  if (sum.blocks >= counted.blocks && sum.bytes >= counted.bytes) return;
  add(figures, counted.blocks - std::min(counted.blocks, sum.blocks),
      counted.bytes - std::min(counted.bytes, sum.bytes), shortfalls);
}

}  // namespace vmscan
