#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "libvmscan/memory/page_cache.h"
#include "libvmscan/owners/allocators/glibc/glibc_search.h"
#include "libvmscan/owners/allocators/glibc/glibc_thresholds.h"
#include "libvmscan/owners/allocators/glibc/glibc_walk.h"
#include "libvmscan/owners/allocators/residency.h"

namespace vmscan {
namespace {

Range range_of_heaps(const GlibcHeaps& found) {
  Range range{std::numeric_limits<Address>::max(), 0};
  for (const GlibcArena& arena : found.arenas)
    for (const GlibcHeap& heap : arena.heaps)
      range = {std::min(range.begin, heap.range.begin), std::max(range.end, heap.range.end)};
  return range;
}

/// The size of the block that a request of `bytes` gets (checked_request2size in malloc/malloc.c); 0 when none can.
std::uint64_t chunk_size(const GlibcLayout& layout, std::uint64_t bytes) {
  if (bytes > std::numeric_limits<std::uint64_t>::max() / 2) return 0;
  const std::uint64_t size = (bytes + layout.word + layout.alignment - 1) / layout.alignment * layout.alignment;
  return std::max(size, layout.least_chunk());
}

void add_mapped(GlibcWalk& walk, std::vector<HeapTotals>& heaps) {
  const auto& blocks = walk.found.blocks;
  if (blocks.empty()) return;
  HeapTotals totals{.allocator = "glibc", .name = "mapped blocks", .ranges = {}, .in_ram = {}};
  if (walk.memory.facts().pages_known) totals.residency.emplace();
  ResidencyCounter resident(walk.memory.facts(), totals.residency);
  const std::uint64_t page = walk.memory.page_bytes();
  const auto& options = walk.options;
  const GlibcLayout& layout = walk.found.layout;
  for (const GlibcMappedBlock& block : blocks) {
    const std::uint64_t size = block.range.size();
    totals.ranges.push_back(block.range);
    totals.size += size;
    totals.live.add(size);
    resident.add(block.range, &PartBytes::live);
    walk.all.sizes.add(size, BlockState::Live);
    const bool of_size =
        options.list_request && (*options.list_request + 2 * layout.word + page - 1) / page * page == size;
    const bool here = options.list_address && block.range.contains(*options.list_address);
    if ((of_size || here) && walk.report.blocks.size() < options.most_blocks)
      walk.report.blocks.push_back(
          {chunk_in_use(walk.memory, layout, block) + layout.header(), size, BlockState::Live, heaps.size()});
  }
  totals.in_ram = bytes_in_ram(walk.memory.facts(), totals.ranges);
  heaps.push_back(std::move(totals));
}

}  // namespace

HeapReport walk_glibc(const TargetMemory& memory, const HeapOptions& options) {
  HeapReport report;
  GlibcHeaps found = known_glibc_heaps(memory);
  if (found.arenas.empty()) {
    check_glibc_totals(found, memory.page_bytes(), HeapShortfall::Figures::Blocks, report.shortfalls);
    return report;
  }
  GlibcFindings nothing{.sizes = SizeCounts(found.layout.alignment)};
  if (options.types) nothing.objects.emplace(memory);
  if (memory.facts().pages_known) nothing.totals.residency.emplace();
  GlibcWalk walk{.memory = memory, .found = found, .options = options, .report = report, .nothing = std::move(nothing)};
  if (options.list_request) walk.wanted_size = chunk_size(found.layout, *options.list_request);
  walk.heaps = range_of_heaps(found);
  walk.cache_sizes = sizes_of_thread_caches(found.layout.word);
  std::vector<HeapTotals> heaps = walk_arenas(walk);
  check_glibc_totals(found, memory.page_bytes(), HeapShortfall::Figures::Blocks, report.shortfalls);
  report.blocks = std::move(walk.all.blocks);
  report.blocks_complete = walk.all.blocks_complete;
  report.notes = std::move(walk.all.notes);
  settle_glibc_caches(walk, heaps);
  if (options.trim) find_trimmable(walk, heaps);
  if (options.trim && found.counters != 0) report.raised_threshold = raised_threshold(memory, found.counters);
  if (const auto& huge = memory.facts().huge_pages) {
    report.huge_policy = huge->policy;
    report.huge_page_bytes = huge->size;
  }
  for (HeapBlock& block : report.blocks)
    if (walk.set_aside.contains(block.address - found.layout.header())) block.state = BlockState::Cached;
  add_mapped(walk, heaps);
  report.sizes = walk.all.sizes.totals(found.layout);
  report.heaps = std::move(heaps);
  if (walk.all.objects) report.types = walk.all.objects->totals();
  if (report.retried)
    report.notes.push_back(
        {"heap_changed", "the program changed its heap while it was read: what changed was read again"});
  return report;
}

}  // namespace vmscan
