// musl's malloc in a static program that never frees, seen from outside. Nothing pulls in mallocng there: the linker
// takes __simple_malloc (src/malloc/lite_malloc.c of musl 1.2.0 to 1.2.5), which gives blocks one behind the other from
// an area and takes none back. Its whole state are four static variables next to each other, in an order that the
// compiler chooses: unsigned mmap_step; uintptr_t brk, cur, end. The area ends with `end`, the next block begins with
// `cur`. It grows with brk while `brk` and `end` are the same; where brk fails, areas are mapped, and only the last one
// is known. Nothing tells where one block ends and the next begins, and no total is kept.
#pragma once

#include "libvmscan/owners/allocators/allocator.h"

namespace vmscan {

struct MuslBump {
  struct Area {
    Range range;
    Address used_to = 0;  // where its next block would begin
  };
  Address state = 0;        // of its variables; 0: not found
  std::vector<Area> areas;  // by address
  bool mapped = false;      // brk failed once: there may be areas that nothing leads to
};

MuslBump find_musl_bump(const TargetMemory& memory);

void walk_musl_bump(const TargetMemory& memory, const HeapOptions& options, HeapReport& report);

}  // namespace vmscan
