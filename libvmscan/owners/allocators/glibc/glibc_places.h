// Where glibc's malloc keeps its own data: struct malloc_state main_arena and struct malloc_par mp_ (malloc/malloc.c).
//   struct malloc_state { int mutex, flags; …; mfastbinptr fastbinsY[]; mchunkptr top, last_remainder; mchunkptr
//   bins[254];
//                         unsigned binmap[4]; struct malloc_state *next, *next_free; [size_t attached_threads;]
//                         size_t system_mem, max_system_mem; }
//   struct malloc_par   { size_t trim_threshold, top_pad, mmap_threshold, arena_test, arena_max;
//                         [size_t thp_pagesize, hp_pagesize; int hp_flags;]
//                         int n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold; size_t mmapped_mem, max_mmapped_mem;
//                         [size_t max_total_mem;] char *sbrk_base; … }
// What stands before `top` and behind `next` differs between versions (2.17 to 2.43) and word sizes: it is found out.
//
// The file tells both without a look at memory: main_arena is zeros up to `next`, which is initialised to &main_arena;
// the thresholds of mp_ are 128 KiB each. Where no file can be had, the ring of `next` shows main_arena in memory:
// every arena but the main one lies behind the header of its first heap, which points to it.
#pragma once

#include <optional>
#include <vector>

#include "libvmscan/memory/target_memory.h"

namespace vmscan {

struct GlibcPlaces {
  Address main_arena = 0;
  std::size_t top = 0, next = 0;  // bytes from the beginning of a malloc_state
  /// Where n_mmaps of mp_ may be: one place where the file tells, none when nothing looks like it.
  std::vector<Address> counters;
};

/// The numbers of struct malloc_par that change.
struct GlibcCounters {
  std::uint64_t blocks = 0, bytes = 0;  // with mappings of their own
  Address sbrk_base = 0;                // 0: nothing was taken from brk
};

/// Nothing when the target has no glibc, or none of its data can be read. Whether malloc was ever used is not looked
/// at.
std::optional<GlibcPlaces> find_glibc_places(const TargetMemory& memory);

/// Nothing when they cannot be read or cannot be right.
std::optional<GlibcCounters> read_glibc_counters(const TargetMemory& memory, Address place);

/// Whether an arena that is not the main one may lie there.
bool may_be_mapped_arena(const TargetMemory& memory, Address arena);

/// False when the target has a C library whose data the source does not hold.
bool holds_data_of_libc(const TargetMemory& memory);

}  // namespace vmscan
