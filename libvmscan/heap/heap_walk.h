// The heaps of every allocator that is known, seen from outside.
#pragma once

#include "libvmscan/memory/memory_reader.h"
#include "libvmscan/owners/allocators/heap_report.h"

namespace vmscan {

/// Walks all heaps. Memory stays bounded however many blocks there are, unless blocks are listed. Of a process that
/// runs meanwhile, what changes may be counted before or after. Error: the memory may not be read. A target without a
/// known allocator has an empty report.
Result<HeapReport> walk_heaps(const Facts& facts, const MemoryReader& reader, const HeapOptions& options);

}  // namespace vmscan
