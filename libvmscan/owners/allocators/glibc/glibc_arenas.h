// glibc's malloc seen from outside: where its arenas and their heaps are (malloc/malloc.c and malloc/arena.c of glibc).
//   struct heap_info    { mstate ar_ptr; heap_info *prev; size_t size, mprotect_size; [size_t pagesize;] … }
#pragma once

#include <string>
#include <vector>

#include "libvmscan/memory/target_memory.h"

namespace vmscan {

/// Part of an arena: the brk heap, or one heap that was mapped.
struct GlibcHeap {
  Range range;              // with its header, up to the end of its last chunk
  Address first_chunk = 0;  // 0: none that makes sense
  Range reserved;           // the address space that it may grow into, `range` included
  bool cut = false;         // it has grown since the map was read, and `range` ends with the map
};

struct GlibcArena {
  unsigned number = 0;                        // 0: the main arena; others in the order in which they were made
  Address address = 0;                        // of its malloc_state
  Address top = 0;                            // its last chunk
  std::optional<std::uint64_t> system_bytes;  // what malloc counts: system_mem
  std::vector<GlibcHeap> heaps;               // by address

  std::uint64_t found_bytes() const;
};

/// Where things lie, in bytes from the beginning of a malloc_state.
struct GlibcLayout {
  std::size_t word = 8, alignment = 16;
  std::size_t fastbins = 0, top = 0, next = 0, system = 0;  // system: of system_mem
  std::uint64_t heap_bytes = 0;  // HEAP_MAX_SIZE, to which heaps are aligned; 0: there is only the main arena

  std::size_t header() const { return 2 * word; }
  std::uint64_t least_chunk() const { return 4 * word; }
  /// Whether a chunk can begin there.
  bool aligned(Address chunk) const { return (chunk + header()) % alignment == 0; }
  bool possible_size(std::uint64_t size) const { return size >= least_chunk() && size % alignment == 0; }
};

/// What struct malloc_par counts of the blocks that have a mapping of their own.
struct GlibcMapped {
  std::uint64_t blocks = 0, bytes = 0;
};

/// A block with a mapping of its own. Several may share what the kernel shows as one mapping.
struct GlibcMappedBlock {
  Range range;                 // whole pages
  Address chunk = 0;           // the first header in it
  std::uint64_t left_out = 0;  // bytes at the end of `range` that its size leaves out
};

struct GlibcHeaps {
  GlibcLayout layout;
  std::vector<GlibcArena> arenas;  // the main one first; empty: no glibc malloc was found
  bool ring_closed = true;         // the arenas lead back to the first
  bool main_swapped_out = false;   // where the main arena's data are is known, but not what they are
  Address counters = 0;            // where malloc counts mapped blocks; 0: not known
  std::optional<GlibcMapped> mapped;
  std::vector<GlibcMappedBlock> blocks;  // those that were found, by address
  bool searched = false;                 // for blocks, and for pieces of the main arena
  std::uint64_t not_searched = 0;        // bytes in RAM that were not looked at for the rest
};

/// The flags in the low bits of a chunk's size.
namespace chunk_flag {
inline constexpr std::uint64_t previous_in_use = 1, mapped = 2, other_arena = 4, all = 7;
}

/// The arenas with those of their heaps to which pointers lead.
GlibcHeaps find_glibc_arenas(const TargetMemory& memory);

}  // namespace vmscan
