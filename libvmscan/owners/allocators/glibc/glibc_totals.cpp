// malloc's own totals against what was found: system_mem of each arena, and n_mmaps and mmapped_mem of malloc_par.
#include <algorithm>

#include "libvmscan/owners/allocators/glibc/glibc_walk.h"

namespace vmscan {
namespace {

std::uint64_t beyond(std::uint64_t counted, std::uint64_t found) { return counted - std::min(counted, found); }

/// What arenas take from the system, beyond their parts that were found.
std::uint64_t missing_of_arenas(const GlibcHeaps& found, std::uint64_t page) {
  std::uint64_t missing = 0;
  for (const GlibcArena& arena : found.arenas) {
    std::uint64_t sum = 0;
    for (const GlibcHeap& heap : arena.heaps)
      if (heap.first_chunk != 0) sum += (heap.range.size() + page - 1) / page * page;
    missing += std::min(beyond(arena.system_bytes.value_or(0), sum), Bytes::max_value - missing);
  }
  return missing;
}

}  // namespace

void check_glibc_totals(const GlibcHeaps& found, std::uint64_t page_bytes, HeapShortfall::Figures figures,
                        std::vector<HeapShortfall>& shortfalls) {
  using Reason = HeapShortfall::Reason;
  const auto add = [&](Reason reason, Bytes blocks, Bytes bytes) {
    shortfalls.push_back(
        {.allocator = "glibc", .figures = figures, .reason = reason, .blocks = blocks, .bytes = bytes});
  };
  if (found.main_swapped_out) add(Reason::SwappedOut, {}, {});
  if (!found.ring_closed) add(Reason::NotUnderstood, {}, {});
  const std::uint64_t of_arenas = missing_of_arenas(found, page_bytes);
  BlockSum sum;
  for (const GlibcMappedBlock& block : found.blocks) sum.add(block.range.size());
  const GlibcMapped counted = found.searched ? found.mapped.value_or(GlibcMapped{}) : GlibcMapped{};
  const std::uint64_t blocks = beyond(counted.blocks, sum.blocks), of_blocks = beyond(counted.bytes, sum.bytes);
  if (of_arenas == 0 && of_blocks == 0 && blocks == 0) return;
  add(found.not_searched > 0 ? Reason::SearchEnded : Reason::NotFound, blocks > 0 ? Bytes(blocks) : Bytes{},
      of_blocks + std::min(of_arenas, Bytes::max_value - of_blocks));
}

}  // namespace vmscan
