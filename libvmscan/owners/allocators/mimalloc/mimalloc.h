// mimalloc 2.x seen from outside (64-bit), without symbols, in shared and static copies. From include/mimalloc-types.h
// (include/mimalloc/types.h), src/segment.c and src/page-queue.c of its releases 2.0.6, 2.0.9, 2.1.2, 2.1.7 and 2.2.4:
//   struct mi_segment_s { …; size_t used; uintptr_t cookie; [abandoned_os_next, abandoned_os_prev;]
//                         size_t segment_slices, segment_info_slices; mi_segment_kind_t kind; size_t slice_entries;
//                         mi_threadid_t thread_id; mi_slice_t slices[]; }          aligned to 32 MiB, in slices of 64
//                         KiB
//   struct mi_page_s    { uint32_t slice_count, slice_offset; uint8_t bits; uint16_t capacity, reserved; …;
//                         mi_block_t *free; …used, block size, local_free…; xthread_free; xheap; next; prev; }
// A segment is recognised by its slices, which must lead from the first to the last, and by its cookie: the segment's
// address ^ a random number that stands in the main heap, in the data of an image. Which of the layouts of pages it has
// is the one whose slices close.
// Version 3 has arenas instead, each with a header at its beginning. Seen in programs that link it statically (Bun
// 1.4, SWC 1.16): mi_memid_t { base, size, kind }, the subprocess, among the next five words the number of slices, and
// how many of them the header takes. The subprocess, in the data of an image, points back within 4 KiB. Which blocks
// are free is not known here. Version 1 keeps other structures.
#pragma once

#include "libvmscan/owners/allocators/allocator.h"

namespace vmscan {

/// A run of slices with blocks of one size.
struct MimallocPage {
  Range range;         // of its slices
  Address blocks = 0;  // the first
  std::uint64_t block_size = 0;
  std::uint32_t capacity = 0, reserved = 0, used = 0;  // blocks: made, possible, not free
  Address free = 0, local_free = 0,
          thread_free = 0;  // lists of free blocks; the last is of those that other threads freed
};

struct MimallocHeaps {
  std::uint64_t key = 0;  // of the cookies; 0: no mimalloc was found
  std::vector<Range> segments;
  std::vector<MimallocPage> pages;  // in use
  std::vector<Range> free;          // slices that no page has
};

MimallocHeaps find_mimalloc(const TargetMemory& memory);

/// Of mimalloc 3; by address, not overlapping.
std::vector<Range> find_mimalloc_arenas(const TargetMemory& memory);

void walk_mimalloc(const TargetMemory& memory, const HeapOptions& options, HeapReport& report);

}  // namespace vmscan
