// Which memory belongs to an allocator, for the rule table.
#pragma once

#include "libvmscan/memory/memory_reader.h"

namespace vmscan {

/// Fills Facts::heaps and Facts::glibc from the allocator's own structures. What glibc's malloc has beside its arenas
/// is looked for in at most `most_bytes` of other private memory in RAM where it does not count that itself: see
/// GlibcSearchLimits. 0 leaves it out.
/// What runtimes own is known by then.
void find_heap_parts(Facts& facts, const MemoryReader& reader, std::uint64_t most_bytes);

/// find_runtime_parts() and find_heap_parts(), side by side where that is possible.
void find_owners(Facts& facts, const MemoryReader& reader, std::uint64_t most_bytes);

}  // namespace vmscan
