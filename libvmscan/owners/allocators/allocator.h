// What the walks over the heaps of all allocators have in common: the blocks that are listed, and counts by size class
// and by C++ type.
#pragma once

#include <algorithm>
#include <map>
#include <optional>

#include "libvmscan/memory/chunk_reader.h"
#include "libvmscan/memory/page_cache.h"
#include "libvmscan/owners/allocators/heap_report.h"
#include "libvmscan/owners/allocators/objects.h"

namespace vmscan {

/// The blocks of one size class: `size` bytes each, for requests of least_request to most_request bytes.
struct SizeClass {
  std::uint64_t size = 0, least_request = 0, most_request = 0;
};

/// Blocks of one size, one behind the other.
struct BlockRow {
  Address begin = 0;
  std::uint64_t size = 0, count = 0;

  Range range() const { return {begin, begin + size * count}; }
  Range block(std::uint64_t i) const { return {begin + i * size, begin + (i + 1) * size}; }
  /// Calls `look(i)` for each block from `next` on that has bytes in `part`; returns the first behind them.
  template <class Look>
  std::uint64_t look_at(Range part, std::uint64_t next, Look look) const {
    part = part.intersect(range());
    if (part.empty()) return next;
    const std::uint64_t last = (part.end - 1 - begin) / size;
    for (next = std::max(next, (part.begin - begin) / size); next <= last; ++next) look(next);
    return next;
  }
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
  /// Blocks that counted as live turn out to be cached; as many as there are. They were used, and so are in RAM.
  void cache(std::size_t heap, const SizeClass& kind, std::uint64_t blocks = 1);
  /// Counts what is in RAM and what is swapped out of a range that is that part of the heap. finish() counts what is
  /// left of the heap as its rest.
  void reside(std::size_t heap, Range range, std::uint64_t PartBytes::*part);
  /// The same for a range with several parts; `each()` tells its blocks one by one where pages of it are not there.
  template <class Each>
  void reside(std::size_t heap, Range range, const PartBytes& parts, Each each) {
    auto& residency = report_.heaps[heap].residency;
    if (!residency) return;
    const PageCounts pages = memory_.facts().pages.count(range);
    if (pages.in_ram() == range.size())
      residency->in_ram += parts;
    else if (pages.swapped == range.size())
      residency->swapped += parts;
    else if (pages.in_ram() + pages.swapped > 0)
      each();
  }
  /// Calls `look(i)` for each block of the row that has bytes in RAM or in swap: what a row says of its length may be
  /// more than there is.
  template <class Look>
  void for_each_there(const BlockRow& row, Look look) const {
    std::uint64_t next = 0;
    for (const PageRun& run : memory_.facts().pages.touching(row.range()))
      if ((run.condition & (page::present | page::swapped)) != 0) next = row.look_at(run.range, next, look);
  }
  /// Calls `look(i)` for each block of the row that see() must be told of: all that may be listed, and of others those
  /// that can be read.
  template <class Look>
  void for_each_wanted(const SizeClass& kind, const BlockRow& row, Look look) {
    std::uint64_t next = 0;
    for (const std::uint64_t listed = most_listed(kind, row.count); next < listed; ++next) look(next);
    for (const Range& part : parts_wanted(row.range())) next = row.look_at(part, next, look);
  }
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
  std::uint64_t most_listed(const SizeClass& kind, std::uint64_t count) const;
  std::vector<Range> parts_wanted(Range range) const;
  void settle_residency(HeapTotals& totals, std::uint64_t PartBytes::*rest) const;

  const TargetMemory& memory_;
  const HeapOptions& options_;
  HeapReport& report_;
  std::string_view name_;
  std::optional<ObjectCounts> objects_;  // with HeapOptions::types
  std::optional<ChunkReader> reader_;    // the same
  std::map<std::uint64_t, SizeTotals> sizes_;
};

}  // namespace vmscan
