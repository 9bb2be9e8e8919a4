#include "libvmscan/diff/region_match.h"

#include <algorithm>

namespace vmscan {
namespace {

// The kernel tells a start in ticks since boot, and the time of boot moves with the clock.
constexpr std::int64_t start_tolerance_ms = 2000;

const Region* executable_of(const Snapshot& snapshot) {
  for (const Region& region : snapshot.regions)
    if (region.type == RegionType::Image && region.details == snapshot.target.executable) return &region;
  return nullptr;
}

bool executable_at_same_place(const Snapshot& base, const Snapshot& now) {
  const Region *a = executable_of(base), *b = executable_of(now);
  return a != nullptr && b != nullptr && a->details == b->details && a->range.begin == b->range.begin;
}

/// Two runs of one program share few addresses: those below vm.mmap_min_addr, those of a program that is not
/// position-independent. A process with itself shares most.
bool most_regions_at_same_places(const Snapshot& base, const Snapshot& now) {
  std::size_t same = 0;
  auto at = now.regions.begin();
  for (const Region& region : base.regions) {
    at = std::find_if(at, now.regions.end(), [&](const Region& r) { return r.range.begin >= region.range.begin; });
    if (at != now.regions.end() && at->range.begin == region.range.begin && at->type == region.type) ++same;
  }
  return same > std::min(base.regions.size(), now.regions.size()) / 2;
}

Matching chosen(MatchMode mode, std::string reason) {
  return {.mode = mode, .reason = std::move(reason), .matches = {}};
}

Matching choose_mode(const Snapshot& base, const Snapshot& now, MatchMode mode) {
  using enum MatchMode;
  if (mode != Auto) return chosen(mode, "as asked for");
  const Target &a = base.target, &b = now.target;
  if (!a.pid || !b.pid) {
    return most_regions_at_same_places(base, now)
               ? chosen(ByAddress, "a pid is unknown, but most regions are at the same places")
               : chosen(ByIdentity, "a pid is unknown");
  }
  if (a.pid != b.pid) return chosen(ByIdentity, "two processes");
  if (a.started_at_unix_ms && b.started_at_unix_ms) {
    const bool same = std::abs(*a.started_at_unix_ms - *b.started_at_unix_ms) <= start_tolerance_ms;
    return same ? chosen(ByAddress, "the same process") : chosen(ByIdentity, "two processes that had the same pid");
  }
  if (executable_at_same_place(base, now)) return chosen(ByAddress, "the same pid, the executable at the same place");
  if (most_regions_at_same_places(base, now))
    return chosen(ByAddress, "the same pid and most regions at the same places");
  return chosen(ByIdentity, "the same pid, but a start time is unknown and little is at the same places");
}

}  // namespace

Matching match_regions(const Snapshot& base, const Snapshot& now, MatchMode mode) {
  Matching matching = choose_mode(base, now, mode);
  matching.matches = matching.mode == MatchMode::ByAddress ? match_by_address(base.regions, now.regions)
                                                           : match_by_identity(base, now);
  for (RegionMatch& match : matching.matches) {
    std::sort(match.base.begin(), match.base.end());
    std::sort(match.now.begin(), match.now.end());
  }
  return matching;
}

}  // namespace vmscan
