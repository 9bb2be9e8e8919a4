// What an allocator has by its own count and vmscan does not show: a shortfall is told, and a gate does not rest on it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libvmscan/base/bytes.h"

namespace vmscan {

struct HeapShortfall {
  enum class Reason : std::uint8_t {
    NotFound,       // the allocator counts more than was found
    SwappedOut,     // left out: reading it would swap it in
    Unreadable,     // the source holds none of it
    SearchEnded,    // the search reached its bound before all was found
    NotUnderstood,  // its structures are broken, or of a version that is not known
  };
  /// Which figures lack it.
  enum class Figures : std::uint8_t {
    Regions,  // of the types of regions: heaps are too small, and private data are too large
    Blocks,   // of what heaps hold: live, cached and free blocks
  };

  std::string allocator;  // as in HeapTotals
  Figures figures = Figures::Regions;
  Reason reason = Reason::NotFound;
  Bytes blocks, bytes;  // unknown: the allocator does not tell

  friend bool operator==(const HeapShortfall&, const HeapShortfall&) = default;
};

inline constexpr std::array<std::string_view, 5> shortfall_reason_names{"not_found", "swapped_out", "unreadable",
                                                                        "search_ended", "not_understood"};
inline constexpr std::array<std::string_view, 2> shortfall_figures_names{"regions", "blocks"};

/// Once something was left out because it is swapped out, that is why the rest was not found or understood, but for
/// what is broken.
void blame_swapped(std::span<HeapShortfall> shortfalls);

/// One sentence: how much is missing, why, and what follows.
std::string describe(const HeapShortfall& shortfall);
/// How much is missing and why: "glibc's malloc counts 3 blocks of 812 K more than were found".
std::string amount_and_reason(const HeapShortfall& shortfall);
/// What can be done about it; empty: nothing.
std::string_view way_out(HeapShortfall::Reason reason);

}  // namespace vmscan
