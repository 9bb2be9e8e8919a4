// malloc's own totals against what was found.
#include "libvmscan/heap/glibc_walk.h"

namespace vmscan {

void check_glibc_mapped(const GlibcHeaps& found, std::span<const GlibcMappedBlock> blocks,
                        HeapShortfall::Figures figures, std::vector<HeapShortfall>& shortfalls) {
  if (!found.mapped) return;
  BlockSum sum;
  for (const GlibcMappedBlock& block : blocks) sum.add(block.range.size());
  const GlibcMapped& counted = *found.mapped;
  if (sum.blocks >= counted.blocks && sum.bytes >= counted.bytes) return;
  shortfalls.push_back({.allocator = "glibc",
                        .figures = figures,
                        .blocks = counted.blocks - std::min(counted.blocks, sum.blocks),
                        .bytes = counted.bytes - std::min(counted.bytes, sum.bytes)});
}

}  // namespace vmscan
