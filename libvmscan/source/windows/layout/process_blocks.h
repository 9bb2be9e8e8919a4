// The blocks in which Windows keeps what it knows of a process and its threads, read from the target's memory: PEB, TEB
// (winternl.h; offsets as the public symbols of ntdll give them, the same since Windows XP) and the heads of heaps.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libvmscan/model/allocations.h"
#include "libvmscan/source/source.h"

namespace vmscan {

/// Thread environment block.
struct ThreadBlock {
  Address stack_base = 0;                // end of the stack: it grows down from here
  Address stack_limit = 0;               // beginning of what is committed of it, guard left out
  std::optional<Address> stack_reserve;  // beginning of what is reserved; unknown where the memory is not there
  Address peb = 0;
};

/// Nothing when the memory is not there or is no TEB (it holds its own address).
std::optional<ThreadBlock> read_thread_block(const MemoryReader& memory, Address teb, unsigned pointer_bits);

/// Addresses of the heaps that the PEB lists, in its order; or of the default heap alone, where only that is told (Wine
/// keeps no list). Empty when the memory is not there.
std::vector<Address> read_heap_list(const MemoryReader& memory, Address peb, unsigned pointer_bits);

/// Whether a heap, or a further segment of one, begins at `base`: by the signature that NT heaps and segment heaps
/// carry. `heaps` are those of read_heap_list(). Nothing when there is none.
std::optional<HeapSegment> heap_segment_at(const MemoryReader& memory, Address base, unsigned pointer_bits,
                                           const std::vector<Address>& heaps);

}  // namespace vmscan
