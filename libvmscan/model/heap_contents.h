// What an allocator's heaps hold: totals per heap, and how many blocks of each size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/bytes.h"
#include "libvmscan/base/range.h"

namespace vmscan {

struct BlockSum {
  std::uint64_t blocks = 0, bytes = 0;
  void add(std::uint64_t size) { ++blocks, bytes += size; }
  BlockSum& operator+=(const BlockSum& other);
  friend bool operator==(const BlockSum&, const BlockSum&) = default;
};

/// Bytes of each part of a heap.
struct PartBytes {
  std::uint64_t live = 0, cached = 0, free = 0, overhead = 0, unread = 0;
  std::uint64_t sum() const { return live + cached + free + overhead + unread; }
  PartBytes& operator+=(const PartBytes& other);
};

/// Where the bytes of a heap are: those in pages in RAM, those in pages that are swapped out; the others are nowhere.
struct HeapResidency {
  PartBytes in_ram, swapped;
  // With HeapOptions::trim only:
  std::uint64_t trimmable = 0;     // in RAM, and malloc_trim(0) would give it back
  std::uint64_t shared_free = 0;   // free bytes in pages in RAM that blocks in use share: nothing gives them back
  std::uint64_t shared_pages = 0;  // such pages, and the blocks in use that share them, those of thread caches included
  std::uint64_t sharing_blocks = 0;
  // Where Facts::huge_pages are known, too: those of which at least half is whole free pages of the usual size.
  std::uint64_t half_used_pages = 0;
  std::uint64_t half_used_free = 0;       // bytes of these free pages
  std::uint64_t half_used_trimmable = 0;  // of these, what is part of `trimmable`
  HeapResidency& operator+=(const HeapResidency& other);
};

/// One heap of an allocator. Bytes are what the blocks take from it, their headers included, so that
/// live + cached + free + overhead + unread = size.
struct HeapTotals {
  std::string allocator;  // "glibc", "jemalloc", "mimalloc", "tcmalloc", "mallocng"
  std::string name;       // "main arena", "arena 3", "mapped blocks", "jemalloc arena 0"
  std::vector<Range> ranges;
  std::uint64_t size = 0;  // bytes of all ranges
  Bytes in_ram;
  BlockSum live = {};     // in use by the program
  BlockSum cached = {};   // freed, and kept aside for the next request of the same size (tcache, fast bins)
  BlockSum free = {};     // `top` included
  std::uint64_t top = 0;  // free bytes at the end, which the program has not used yet or given back
  std::uint64_t largest_free = 0;
  std::uint64_t overhead = 0;  // the allocator's own structures
  std::uint64_t unread = 0;    // what no chain of blocks led to
  std::uint64_t broken = 0;    // places where the chain of blocks was broken

  std::optional<HeapResidency> residency = {};  // unset: the source or the walk cannot tell

  HeapTotals& operator+=(const HeapTotals& other);  // sums; the name stays
  /// The part of the memory between the first and the last block that no live block takes, in hundredths of a percent;
  /// unknown for an empty heap.
  std::optional<std::uint64_t> fragmentation() const;
};

/// Blocks of one size, which the allocator gives for requests of least_request to most_request bytes.
struct SizeTotals {
  std::string allocator = "glibc";
  std::uint64_t size = 0;  // bytes that the block takes, its header included
  std::uint64_t least_request = 0, most_request = 0;
  BlockSum live = {}, cached = {}, free = {};
};

/// Live blocks that begin with an object of a C++ class with virtual functions.
struct ObjectTotals {
  std::string name;   // "shop::Session"
  std::string image;  // path of the file whose virtual table it is
  BlockSum live = {};
};

/// Sums over all heaps of a process: what a snapshot keeps of them.
struct HeapContents {
  std::vector<HeapTotals> heaps;
  std::vector<SizeTotals> sizes;  // by allocator and size; the end of each heap, which has any size, is not among them
  std::vector<ObjectTotals> types;  // when they were asked for; most bytes first

  /// All heaps together.
  HeapTotals total() const;
  /// What lives of the blocks that a request of so many bytes gets.
  BlockSum live_of(std::uint64_t request) const;
  /// The objects of a C++ class, of whatever file.
  BlockSum live_of(std::string_view type_name) const;
};

}  // namespace vmscan
