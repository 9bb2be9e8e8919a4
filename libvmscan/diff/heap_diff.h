// What changed between the heaps of two snapshots: by heap, and by size of blocks.
#pragma once

#include <string>
#include <vector>

#include "libvmscan/model/delta.h"
#include "libvmscan/model/heap_contents.h"

namespace vmscan {

/// A heap of both sides, or of one: then the other is all zeros.
struct HeapChange {
  std::string allocator, name;
  HeapTotals base, now;
};

/// Blocks of one size on both sides.
struct SizeChange {
  SizeTotals base, now;

  std::int64_t live_growth() const { return *difference(base.live.bytes, now.live.bytes); }
};

/// Objects of one C++ class on both sides.
struct TypeChange {
  std::string name, image;
  BlockSum base, now;

  std::int64_t live_growth() const { return *difference(base.bytes, now.bytes); }
};

struct HeapDiff {
  std::vector<HeapChange> heaps;  // in the order of the new side, then those that are gone
  HeapTotals base_total, now_total;
  std::vector<SizeChange> sizes;  // where anything that lives differs; the largest growth first
  std::vector<TypeChange> types;  // likewise
};

/// Heaps are the same when their allocators and names are: arenas keep their numbers while a process lives.
/// Classes are the same when their names and the names of their files are.
HeapDiff compare_heaps(const HeapContents& base, const HeapContents& now);

}  // namespace vmscan
