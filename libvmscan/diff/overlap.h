// Groups of overlapping regions, the common part of both ways of matching.
#pragma once

#include <cstdint>
#include <vector>

#include "libvmscan/diff/region_match.h"

namespace vmscan {

/// A region that takes part: only those with the same `group` can belong together.
struct Candidate {
  std::size_t index = 0;
  std::uint32_t group = 0;
  Range range;
};

/// Joins candidates of the same group whose ranges overlap, also by way of others. Takes the order of address within a
/// group; the groups come out in their order. Ranges of one side must not overlap each other.
std::vector<RegionMatch> join_overlapping(std::vector<Candidate> base, std::vector<Candidate> now);

/// Appends the pairs of which nothing was joined to: one side is empty.
void append_unmatched(std::vector<RegionMatch>& matches, const std::vector<bool>& base_taken,
                      const std::vector<bool>& now_taken);

}  // namespace vmscan
