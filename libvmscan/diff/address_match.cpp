// Matching within one process.
#include <map>
#include <unordered_map>

#include "libvmscan/diff/overlap.h"

namespace vmscan {
namespace {

/// The thread that a stack belongs to may change, as may the number of an arena: these are the same by place alone.
bool same_by_place(RegionType type) { return type == RegionType::Stack || type == RegionType::Heap; }

/// Numbers for pairs of type and name.
class Groups {
 public:
  std::uint32_t of(const Region& region) {
    const std::string_view name = same_by_place(region.type) ? std::string_view{} : std::string_view{region.details};
    auto& names = groups_[static_cast<std::size_t>(region.type)];
    return names.try_emplace(name, static_cast<std::uint32_t>(count_ + 1)).second ? ++count_ : names.at(name);
  }

 private:
  std::array<std::unordered_map<std::string_view, std::uint32_t>, region_types.size()> groups_;
  std::uint32_t count_ = 0;
};

std::vector<Candidate> candidates(std::span<const Region> regions, Groups& groups) {
  std::vector<Candidate> list;
  list.reserve(regions.size());
  for (std::size_t i = 0; i < regions.size(); ++i) list.push_back({i, groups.of(regions[i]), regions[i].range});
  return list;
}

/// Pairs the lonely of both sides that `same` holds for and that begin at the same address.
template <class Same>
void pair_lonely(std::vector<RegionMatch>& matches, std::span<const Region> base, std::span<const Region> now,
                 Same same) {
  std::unordered_map<Address, RegionMatch*> removed;
  for (RegionMatch& match : matches)
    if (match.now.empty() && match.base.size() == 1) removed.emplace(base[match.base[0]].range.begin, &match);
  for (RegionMatch& match : matches) {
    if (!match.base.empty() || match.now.size() != 1) continue;
    const auto found = removed.find(now[match.now[0]].range.begin);
    if (found == removed.end() || !same(base[found->second->base[0]], now[match.now[0]])) continue;
    found->second->now = std::move(match.now);
    match.now.clear();
    removed.erase(found);
  }
  std::erase_if(matches, [](const RegionMatch& match) { return match.base.empty() && match.now.empty(); });
}

}  // namespace

std::vector<RegionMatch> match_by_address(std::span<const Region> base, std::span<const Region> now) {
  Groups groups;
  std::vector<RegionMatch> matches = join_overlapping(candidates(base, groups), candidates(now, groups));
  pair_lonely(matches, base, now, [](const Region& a, const Region& b) { return a.type == b.type; });
  pair_lonely(matches, base, now, [](const Region& a, const Region& b) { return a.range == b.range; });
  return matches;
}

}  // namespace vmscan
