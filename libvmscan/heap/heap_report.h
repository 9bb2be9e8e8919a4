// What an allocator's heaps hold: totals per heap, and how many blocks of each size.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libvmscan/model/bytes.h"
#include "libvmscan/model/range.h"
#include "libvmscan/model/target.h"

namespace vmscan {

struct BlockSum {
  std::uint64_t blocks = 0, bytes = 0;
  void add(std::uint64_t size) { ++blocks, bytes += size; }
  BlockSum& operator+=(const BlockSum& other);
};

/// One heap of an allocator. Bytes are what the blocks take from it, their headers included, so that
/// live + cached + free + overhead + unread = size.
struct HeapTotals {
  std::string allocator;  // "glibc"
  std::string name;       // "main arena", "arena 3", "mapped blocks"
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

  HeapTotals& operator+=(const HeapTotals& other);  // sums; the name stays
  /// The part of the memory between the first and the last block that no live block takes, in hundredths of a percent;
  /// unknown for an empty heap.
  std::optional<std::uint64_t> fragmentation() const;
};

/// Blocks of one size, which the allocator gives for requests of least_request to most_request bytes.
struct SizeTotals {
  std::uint64_t size = 0;  // bytes that the block takes, its header included
  std::uint64_t least_request = 0, most_request = 0;
  BlockSum live = {}, cached = {}, free = {};
};

enum class BlockState : std::uint8_t { Live, Cached, Free };
inline constexpr std::array<std::string_view, 3> block_state_names{"live", "cached", "free"};

/// One block, where blocks are listed.
struct HeapBlock {
  Address address = 0;     // as the program knows it
  std::uint64_t size = 0;  // bytes that it takes
  BlockState state = BlockState::Live;
  std::size_t heap = 0;  // index into HeapReport::heaps
};

struct HeapReport {
  std::vector<HeapTotals> heaps;
  std::vector<SizeTotals> sizes;  // by size; the end of each heap, which has any size, is not among them
  std::vector<HeapBlock> blocks;  // those that were asked for, by address
  bool blocks_complete = true;    // false: there are more than may be listed
  bool retried = false;           // a heap changed while it was read
  std::vector<Note> notes;
};

/// Which blocks are listed.
struct HeapOptions {
  std::optional<std::uint64_t> list_request;  // those that a request of so many bytes gets
  std::optional<Address> list_address;        // the one with this address
  std::size_t most_blocks = 1'000'000;
};

}  // namespace vmscan
