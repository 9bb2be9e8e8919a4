#include "libvmscan/diff/overlap.h"

#include <algorithm>

namespace vmscan {
namespace {

bool stands_before(const Candidate& a, const Candidate& b) {
  return a.group != b.group ? a.group < b.group : a.range.begin < b.range.begin;
}

/// The group that is being collected, and where each side of it ends.
struct Open {
  RegionMatch match;
  std::uint32_t group = 0;
  Address base_end = 0, now_end = 0;

  bool empty() const { return match.base.empty() && match.now.empty(); }
};

}  // namespace

// Candidates are taken in the order of their begin, so one that begins before the last of the other side ends overlaps
// that one.
std::vector<RegionMatch> join_overlapping(std::vector<Candidate> base, std::vector<Candidate> now) {
  std::sort(base.begin(), base.end(), stands_before);
  std::sort(now.begin(), now.end(), stands_before);
  std::vector<RegionMatch> matches;
  Open open;
  const auto close = [&] {
    if (!open.empty()) matches.push_back(std::move(open.match));
    open = {};
  };
  auto next_base = base.begin(), next_now = now.begin();
  while (next_base != base.end() || next_now != now.end()) {
    const bool from_base = next_now == now.end() || (next_base != base.end() && !stands_before(*next_now, *next_base));
    const Candidate& next = from_base ? *next_base++ : *next_now++;
    const Address other_end = from_base ? open.now_end : open.base_end;
    if (next.group != open.group || next.range.begin >= other_end) {
      close();
      open.group = next.group;
    }
    (from_base ? open.match.base : open.match.now).push_back(next.index);
    (from_base ? open.base_end : open.now_end) = next.range.end;
  }
  close();
  return matches;
}

void append_unmatched(std::vector<RegionMatch>& matches, const std::vector<bool>& base_taken,
                      const std::vector<bool>& now_taken) {
  for (std::size_t i = 0; i < base_taken.size(); ++i)
    if (!base_taken[i]) matches.push_back({.base = {i}, .now = {}});
  for (std::size_t i = 0; i < now_taken.size(); ++i)
    if (!now_taken[i]) matches.push_back({.base = {}, .now = {i}});
}

}  // namespace vmscan
