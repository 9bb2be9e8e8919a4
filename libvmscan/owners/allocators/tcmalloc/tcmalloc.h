// gperftools' tcmalloc seen from outside (2.4 and later with two levels of page map: 64-bit, 48-bit addresses), without
// symbols, in shared and static copies. From src/pagemap.h, span.h, page_heap.h, common.h, common.cc, thread_cache.h
// and central_freelist.h of gperftools 2.10:
//   PageMap2     root_[2^17] in .bss, each a pointer to a leaf of 2^18 pointers to spans, one for each page of 8 KiB; a
//                span of small blocks has all its pages there, others their first and last
//   Span         { PageID start; Length length; Span *next, *prev; …objects;
//                at 40: refcount:16, sizeclass:8, location:2 }
//   SizeMap      int32 class_to_size_[128]: 0, 8, 16, 32, … 256 KiB, in .data
//   ThreadCache  { FreeList list_[128]; …; next_, prev_ }, a FreeList being { void *list_; uint32 length_, lowater_,
//                max_length_, length_overages_; int32 size_; }: its sizes are those of class_to_size_
//   CentralFreeList  { lock; size_t size_class_; Span empty_, nonempty_; size_t num_spans_, counter_; …; used_slots_ }
// The root is found as the only place in an image's data from where page → leaf → span → page closes.
#pragma once

#include <array>

#include "libvmscan/owners/allocators/allocator.h"

namespace vmscan {

struct TcmallocSpan {
  enum class State : std::uint8_t { InUse, Free, Returned };
  Range range;
  std::uint64_t first_free = 0;   // list of blocks that its thread and central caches do not hold
  std::uint32_t used_blocks = 0;  // live, or in a cache
  std::uint32_t size_class = 0;   // 0: one large block
  State state = State::InUse;
};

struct TcmallocHeaps {
  Address root = 0;                  // of its page map; 0: no tcmalloc was found
  std::vector<TcmallocSpan> spans;   // by address, not overlapping
  std::vector<Range> metadata;       // leaves and spans, as far as they are known to be its own
  std::vector<std::uint32_t> sizes;  // of blocks, by size class; empty: unknown
};

TcmallocHeaps find_tcmalloc(PageCache& cache);  // see find_jemalloc()

void walk_tcmalloc(const TargetMemory& memory, const HeapOptions& options, HeapReport& report);

}  // namespace vmscan
