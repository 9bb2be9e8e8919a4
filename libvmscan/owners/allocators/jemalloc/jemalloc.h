// jemalloc seen from outside (5.0 to 5.3, 64-bit, pages of 4 KiB), without symbols, in shared and static copies. From
// include/jemalloc/internal of its releases 5.0.0, 5.1.0, 5.2.1, 5.3.0 and 5.3.1:
//   rtree.h    a tree of two levels over all page addresses. Its root is an array of 2^18 pointers in .bss, each to a
//              leaf of 2^18 words for 1 GiB: size class << 48 | address of the extent's edata | state and flags.
//              Extents have an entry for their first page; slabs for every page. Built where processors have addresses
//              of 57 bits (whether the kernel gives them or not) it has three levels of 2^15, and entries of two
//              words: the edata, and size class << 5 | state and flags.
//   edata.h    (5.3; extent_structs.h before) { bits, address, size | serial number, …; at 64: a bit for each free
//              region of a slab }. bits: arena from bit 0, slab bit 12; where state, size class and the number of free
//              regions begin differs between versions: the one that agrees with the bitmaps and the leaves is taken.
//   base.h     what jemalloc needs itself comes from blocks of whole 2 MiB: { size, next, edata of the unused end }.
//   sc.h       size classes: 8, then multiples of 16 to 64, then four to each doubling.
//   tcache_structs.h, cache_bin.h (5.3)  each arena has a ring of the caches of its threads, if it was built with
//              statistics; a cache, one of its thread's variables, has stacks of free regions for each size class.
// The root is found as the only place in an image's data from where address → leaf → edata → address closes.
#pragma once

#include "libvmscan/owners/allocators/allocator.h"

namespace vmscan {

/// A run of pages that jemalloc manages.
struct JemallocExtent {
  enum class State : std::uint8_t { Active, Dirty, Muzzy, Retained };  // others are on their way between these
  Range range;
  Address data = 0;  // where its block begins, which large ones choose within their first page
  Address edata = 0;
  std::uint32_t arena = 0, size_class = 0, free_regions = 0;
  State state = State::Active;
  bool slab = false;
};

struct JemallocHeaps {
  Address root = 0;                     // of its tree; 0: no jemalloc was found
  std::vector<JemallocExtent> extents;  // by address, not overlapping
  std::vector<Range> metadata;          // blocks of what it needs itself
  std::vector<Address> bases;           // the same, as they begin
};

/// The cache may be one that finders of other allocators use, too: they follow the same pointers.
JemallocHeaps find_jemalloc(PageCache& cache);

/// The size of the blocks of a size class.
SizeClass jemalloc_size_class(std::uint32_t index);

void walk_jemalloc(const TargetMemory& memory, const HeapOptions& options, HeapReport& report);

}  // namespace vmscan
