// glibc's malloc seen from outside: where its arenas and their heaps are. Found without symbols, in dynamic and static
// programs, by structures that must agree with each other (malloc/malloc.c and malloc/arena.c of glibc):
//   struct malloc_state { int mutex, flags; …; mfastbinptr fastbinsY[]; mchunkptr top, last_remainder; mchunkptr
//   bins[254];
//                         unsigned binmap[4]; struct malloc_state *next, *next_free; [size_t attached_threads;]
//                         size_t system_mem, max_system_mem; }
//   struct heap_info    { mstate ar_ptr; heap_info *prev; size_t size, mprotect_size; [size_t pagesize;] … }
//   struct malloc_par   { …; int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold; size_t mmapped_mem,
//   max_mmapped_mem;
//                         [size_t max_total_mem;] char *sbrk_base; … }
// What stands before `top` and behind `next` differs between versions (2.17 to 2.42) and word sizes: it is found out.
#pragma once

#include <string>
#include <vector>

#include "libvmscan/source/target_memory.h"

namespace vmscan {

/// Part of an arena: the brk heap, or one heap that was mapped.
struct GlibcHeap {
  Range range;              // with its header, up to the end of its last chunk
  Address first_chunk = 0;  // 0: none that makes sense
  Range reserved;           // the address space that it may grow into, `range` included
  bool cut = false;         // it has grown since the map was read, and `range` ends with the map
};

struct GlibcArena {
  unsigned number = 0;  // 0: the main arena; others in the order in which they were made
  Address address = 0;  // of its malloc_state
  Address top = 0;      // its last chunk
  std::uint64_t system_bytes = 0;
  std::vector<GlibcHeap> heaps;  // by address
};

/// Where things lie, in bytes from the beginning of a malloc_state.
struct GlibcLayout {
  std::size_t word = 8, alignment = 16;
  std::size_t fastbins = 0, top = 0, next = 0;
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

struct GlibcHeaps {
  GlibcLayout layout;
  std::vector<GlibcArena> arenas;  // the main one first; empty: no glibc malloc was found
  bool ring_closed = true;         // the arenas lead back to the first
  std::optional<GlibcMapped> mapped;
};

/// The flags in the low bits of a chunk's size.
namespace chunk_flag {
inline constexpr std::uint64_t previous_in_use = 1, mapped = 2, other_arena = 4, all = 7;
}

GlibcHeaps find_glibc_heaps(const TargetMemory& memory);

/// False when the target has a C library whose data the source does not hold.
bool holds_data_of_libc(const TargetMemory& memory);

}  // namespace vmscan
