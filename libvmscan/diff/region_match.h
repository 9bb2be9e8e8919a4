// Which regions of two snapshots are the same one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/model/snapshot.h"

namespace vmscan {

/// Regions of the base that became regions of the new snapshot, as indices in address order. Usually one and one;
/// one side may be empty (added, removed), one may hold several (split, merged).
struct RegionMatch {
  std::vector<std::size_t> base, now;
};

enum class MatchMode : std::uint8_t { Auto, ByAddress, ByIdentity };
constexpr std::string_view name_of(MatchMode mode) {
  return mode == MatchMode::Auto ? "auto" : mode == MatchMode::ByAddress ? "address" : "identity";
}

struct Matching {
  MatchMode mode = MatchMode::ByAddress;  // never Auto
  std::string reason;                     // why this mode, one phrase
  std::vector<RegionMatch> matches;       // every region of both sides stands in exactly one
};

/// Auto takes ByAddress for two pictures of one process (the same pid and start time, or the same pid with its
/// executable or most regions at the same places where a start time is unknown; most regions where a pid is),
/// and ByIdentity for everything else.
Matching match_regions(const Snapshot& base, const Snapshot& now, MatchMode mode);

/// Within one process: regions of one type (and one file or name) that overlap belong together; then what begins at the
/// same address with the same type; then what has the same range and another type.
std::vector<RegionMatch> match_by_address(std::span<const Region> base, std::span<const Region> now);

/// Across two runs, whose addresses differ: see the table of passes in identity_match.cpp.
std::vector<RegionMatch> match_by_identity(const Snapshot& base, const Snapshot& now);

/// What a region is called when numbers that differ from run to run (thread ids, pids) are left out:
/// "Thread ID: 71 (worker)" is "thread (worker)". Two regions of one identity may still be two.
std::string stable_name(const Region& region);

}  // namespace vmscan
