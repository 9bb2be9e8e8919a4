// What the walks over the heaps of all allocators have in common: the blocks that are listed, and counts by size class
// and by C++ type.
#pragma once

#include <map>
#include <optional>

#include "libvmscan/heap/chunk_reader.h"
#include "libvmscan/heap/heap_report.h"
#include "libvmscan/heap/objects.h"
#include "libvmscan/heap/page_cache.h"

namespace vmscan {

/// The blocks of one size class: `size` bytes each, for requests of least_request to most_request bytes.
struct SizeClass {
  std::uint64_t size = 0, least_request = 0, most_request = 0;
};

/// One walk over the heaps of an allocator other than glibc's, as it adds to a report.
class AllocatorWalk {
 public:
  /// `name` must outlive the report.
  AllocatorWalk(const TargetMemory& memory, const HeapOptions& options, HeapReport& report, std::string_view name);

  const TargetMemory& memory() const { return memory_; }
  HeapReport& report() { return report_; }
  /// A heap to be filled; returns its index in the report.
  std::size_t add_heap(std::string name);
  HeapTotals& heap(std::size_t index) { return report_.heaps[index]; }
  /// Blocks of `kind` in a heap.
  void add(std::size_t heap, const SizeClass& kind, BlockState state, std::uint64_t blocks = 1);
  /// Blocks that counted as live turn out to be cached; as many as there are.
  void cache(std::size_t heap, const SizeClass& kind, std::uint64_t blocks = 1);
  /// Whether see() must be told of each block of `kind` within `where`, and not of single ones only.
  bool wants(const SizeClass& kind, Range where) const;
  /// Lists the block at `address` in the slot `where`, if it is one of those that were asked for, and notes the type of
  /// a live one. Fast in rising order.
  void see(std::size_t heap, const SizeClass& kind, Address address, Range where, BlockState state);
  /// Once: settles the heaps from `first` on. Ranges are joined, sizes summed, and what no block took is what `rest`
  /// says.
  enum class Rest : std::uint8_t { Overhead, Unread };
  void finish(std::size_t first, Rest rest);

 private:
  bool lists(const SizeClass& kind, Range where) const;

  const TargetMemory& memory_;
  const HeapOptions& options_;
  HeapReport& report_;
  std::string_view name_;
  std::optional<ObjectCounts> objects_;  // with HeapOptions::types
  std::optional<ChunkReader> reader_;    // the same
  std::map<std::uint64_t, SizeTotals> sizes_;
};

}  // namespace vmscan
