// What a walk over an allocator's heaps finds, beside the totals that a snapshot keeps.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/model/facts.h"
#include "libvmscan/model/heap_contents.h"

namespace vmscan {

enum class BlockState : std::uint8_t { Live, Cached, Free };
inline constexpr std::array<std::string_view, 3> block_state_names{"live", "cached", "free"};

enum class BlockLook : std::uint8_t { Unknown, Object, Text, Pointers, Zeros, Data };
inline constexpr std::array<std::string_view, 6> block_look_names{"unknown",  "object", "text",
                                                                  "pointers", "zeros",  "data"};

/// One block, where blocks are listed.
struct HeapBlock {
  Address address = 0;     // as the program knows it
  std::uint64_t size = 0;  // bytes that it takes
  BlockState state = BlockState::Live;
  std::size_t heap = 0;  // index into HeapReport::heaps
  BlockLook look = BlockLook::Unknown;
  std::string text = {};  // the class of an object; the beginning of a text, where contents were asked for
};

struct HeapReport : HeapContents {
  std::vector<HeapBlock> blocks;  // those that were asked for, by address
  bool blocks_complete = true;    // false: there are more than may be listed
  bool left_out_swapped = false;  // something was not read, as that would have swapped it in
  bool retried = false;           // a heap changed while it was read
  HugePages::Policy huge_policy = HugePages::Policy::Unknown;
  std::uint64_t huge_page_bytes = 0;  // 0: not known
  Bytes raised_threshold = {};  // the freed block for which glibc raised its thresholds for good; HeapOptions::trim
  std::vector<HeapShortfall> shortfalls;  // against what allocators count; Figures::Blocks
  std::vector<Note> notes;
};

/// What is looked at beside the totals, and which blocks are listed.
struct HeapOptions {
  bool trim = false;                          // what malloc_trim would give back, which takes a second walk
  std::optional<std::uint64_t> list_request;  // those that a request of so many bytes gets
  std::optional<Address> list_address;        // the one with this address
  std::size_t most_blocks = 1'000'000;
  bool types = false;                      // count the C++ objects
  bool contents = false;                   // keep the beginnings of texts in listed blocks
  std::uint64_t stretch_bytes = 16 << 20;  // of a heap, walked by one thread; tests make it small
};

}  // namespace vmscan
