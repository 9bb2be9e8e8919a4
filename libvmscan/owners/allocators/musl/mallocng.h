// musl's malloc ("mallocng", musl 1.2.1 and later) seen from outside, without symbols, in shared and static programs.
// From src/malloc/mallocng/meta.h, malloc.c, free.c and donate.c of musl 1.2.1 to 1.2.5:
//   struct malloc_context { uint64_t secret; [size_t pagesize;] int init_done; unsigned mmap_counter;
//                           struct meta *free_meta_head, *avail_meta; size_t avail_meta_count, avail_meta_area_count,
//                           meta_alloc_shift; struct meta_area *meta_area_head, *meta_area_tail;
//                           unsigned char *avail_meta_areas; struct meta *active[48]; size_t usage_by_class[48]; … }
//                           in libc's data; usage_by_class counts slots of all groups but those given away below
//   struct meta_area      { uint64_t check; struct meta_area *next; int nslots; struct meta slots[]; } pages of 4096
//   bytes struct meta           { struct meta *prev, *next; struct group *mem; int avail_mask, freed_mask;
//                           uintptr_t last_idx:5, freeable:1, sizeclass:6, maplen; }
//   struct group          { struct meta *meta; …; unsigned char storage[]; }                           slots from byte
//   16
// A meta_area begins with the secret, 64 random bits, which is what the context is recognised by. A slot is in use when
// it is in neither mask. It may hold a group itself; groups without a mapping that no slot holds are memory that the
// dynamic linker gave away at the ends of data segments.
#pragma once

#include <array>

#include "libvmscan/owners/allocators/allocator.h"

namespace vmscan {

struct MallocngGroup {
  Address meta = 0;
  Address memory = 0;        // of its header
  std::uint64_t mapped = 0;  // bytes; 0: within a slot of another group, or given away by the dynamic linker
  std::uint64_t stride = 0;  // bytes of a slot
  std::uint32_t slots = 0, size_class = 0;
  std::uint32_t free = 0, groups = 0;  // masks: slots that are free, slots that hold groups
  bool held = false;                   // by a slot

  Range range() const;
};

struct MallocngHeaps {
  Address context = 0;  // 0: no mallocng was found
  std::vector<MallocngGroup> groups;
  std::vector<Range> areas;  // of metadata
  std::size_t rejected = 0;  // groups that contradict themselves
  /// Slots of each size class by its own count; nullopt: not where it is expected.
  std::optional<std::array<std::uint64_t, 48>> counted;
};

MallocngHeaps find_mallocng(const TargetMemory& memory);

/// Tells where fewer slots were found than it counts.
void check_mallocng(const MallocngHeaps& found, HeapShortfall::Figures figures, std::vector<HeapShortfall>& shortfalls);

void walk_mallocng(const TargetMemory& memory, const HeapOptions& options, HeapReport& report);

}  // namespace vmscan
