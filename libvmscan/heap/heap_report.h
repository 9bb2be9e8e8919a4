// What a walk over an allocator's heaps finds, beside the totals that a snapshot keeps.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "libvmscan/model/heap_contents.h"
#include "libvmscan/model/target.h"

namespace vmscan {

enum class BlockState : std::uint8_t { Live, Cached, Free };
inline constexpr std::array<std::string_view, 3> block_state_names{"live", "cached", "free"};

/// One block, where blocks are listed.
struct HeapBlock {
  Address address = 0;     // as the program knows it
  std::uint64_t size = 0;  // bytes that it takes
  BlockState state = BlockState::Live;
  std::size_t heap = 0;  // index into HeapReport::heaps
};

struct HeapReport : HeapContents {
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
