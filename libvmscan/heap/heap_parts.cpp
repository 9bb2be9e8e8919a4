#include "libvmscan/heap/heap_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/heap/glibc_walk.h"

namespace vmscan {
namespace {

void add_arena(const GlibcArena& arena, std::vector<HeapPart>& parts) {
  for (std::size_t i = 0; i < arena.heaps.size(); ++i) {
    const GlibcHeap& heap = arena.heaps[i];
    if (heap.first_chunk == 0) continue;  // nothing in it looks like a block
    HeapPart part{.range = heap.reserved, .kind = HeapPart::Kind::Arena, .details = {}, .evidence = {}};
    part.details = arena.number == 0 ? "main arena" : fmt::format("arena {}", arena.number);
    part.evidence = fmt::format("glibc's malloc_state at {:#x}", arena.address);
    if (arena.heaps.size() > 1) part.evidence += fmt::format(", heap {} of {}", i + 1, arena.heaps.size());
    parts.push_back(std::move(part));
  }
}

}  // namespace

void find_heap_parts(Facts& facts, const MemoryReader& reader, std::uint64_t most_bytes) {
  std::vector<HeapPart> parts;
  {
    const TargetMemory memory(facts, reader);
    const GlibcHeaps found = find_glibc_heaps(memory);
    for (const GlibcArena& arena : found.arenas) add_arena(arena, parts);
    if (!found.arenas.empty() && most_bytes > 0)
      for (const GlibcMappedBlock& block : find_glibc_mapped(memory, found, most_bytes))
        parts.push_back({.range = block.range,
                         .kind = HeapPart::Kind::Block,
                         .details = "block of malloc",
                         .evidence = fmt::format("glibc's header of a mapped block at {:#x}", block.chunk)});
  }
  std::sort(parts.begin(), parts.end(),
            [](const HeapPart& a, const HeapPart& b) { return a.range.begin < b.range.begin; });
  facts.heaps = std::move(parts);
}

}  // namespace vmscan
