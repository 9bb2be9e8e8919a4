// What the walks over the heaps of all allocators have in common: the blocks that are listed, and counts by size class.
#pragma once

#include <map>

#include "libvmscan/heap/heap_report.h"
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
  AllocatorWalk(const TargetMemory& memory, const HeapOptions& options, HeapReport& report, std::string_view name)
      : memory_(memory), options_(options), report_(report), name_(name) {}

  const TargetMemory& memory() const { return memory_; }
  HeapReport& report() { return report_; }
  /// A heap to be filled; returns its index in the report.
  std::size_t add_heap(std::string name);
  HeapTotals& heap(std::size_t index) { return report_.heaps[index]; }
  /// Blocks of `kind` in a heap.
  void add(std::size_t heap, const SizeClass& kind, BlockState state, std::uint64_t blocks = 1);
  /// Blocks that counted as live turn out to be cached; as many as there are.
  void cache(std::size_t heap, const SizeClass& kind, std::uint64_t blocks = 1);
  /// Whether blocks of `kind` within `where` are to be listed.
  bool wants(const SizeClass& kind, Range where) const;
  /// Lists the block at `address` in the slot `where`, if it is one of those that were asked for.
  void list(std::size_t heap, const SizeClass& kind, Address address, Range where, BlockState state);
  /// Settles the heaps from `first` on: ranges are joined, sizes summed, and what no block took is what `rest` says.
  enum class Rest : std::uint8_t { Overhead, Unread };
  void finish(std::size_t first, Rest rest);

 private:
  const TargetMemory& memory_;
  const HeapOptions& options_;
  HeapReport& report_;
  std::string_view name_;
  std::map<std::uint64_t, SizeTotals> sizes_;
};

}  // namespace vmscan
