#include "libvmscan/diff/snapshot_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vmscan {
namespace {

Bytes block_count(const Region& region) { return region.blocks.size(); }

/// The first figure that differs and is known on both sides decides whether something grew or shrank.
Change judge_figures(const Figures& before, const Figures& after) {
  const auto verdict = [](Bytes base, Bytes now) {
    if (!base || !now || *base == *now) return Change::Unchanged;
    return *now > *base ? Change::Grown : Change::Shrunk;
  };
  if (const Change change = verdict(before.size, after.size); change != Change::Unchanged) return change;
  for (const UsageColumn& column : usage_columns) {
    const Change change = verdict(before.usage.*column.member, after.usage.*column.member);
    if (change != Change::Unchanged) return change;
  }
  return Change::Unchanged;
}

bool agree(Bytes a, Bytes b) { return !a || !b || *a == *b; }
/// A name that a source does not have is empty.
bool agree(std::string_view a, std::string_view b) { return a.empty() || b.empty() || a == b; }

bool agree(const Usage& a, const Usage& b) {
  return std::all_of(usage_columns.begin(), usage_columns.end(),
                     [&](const UsageColumn& column) { return agree(a.*column.member, b.*column.member); });
}

/// Two blocks at the same place of their regions.
bool agree(const Block& a, Address a_origin, const Block& b, Address b_origin) {
  return a.range.begin - a_origin == b.range.begin - b_origin && a.range.size() == b.range.size() &&
         a.state == b.state && a.protection == b.protection && agree(a.usage, b.usage) && a.details == b.details;
}

bool blocks_agree(const Region& a, const Region& b) {
  return std::equal(a.blocks.begin(), a.blocks.end(), b.blocks.begin(), b.blocks.end(),
                    [&](const Block& x, const Block& y) { return agree(x, a.range.begin, y, b.range.begin); });
}

bool rules_agree(const Region& a, const Region& b) {
  return a.rule == foreign_rule || b.rule == foreign_rule || agree(a.rule, b.rule);
}

/// The same in all but its place, and in what a thread is called across two runs.
bool is_equal(const Region& a, const Region& b, bool details_differ) {
  const auto same_block = [&](const Block& x, const Block& y) {
    return agree(x, a.range.begin, y, b.range.begin) && x.usage == y.usage;
  };
  return !details_differ && a.usage == b.usage && a.rule == b.rule && a.build_id == b.build_id &&
         std::equal(a.blocks.begin(), a.blocks.end(), b.blocks.begin(), b.blocks.end(), same_block);
}

/// What differs beside figures. Across two runs thread ids are another matter.
bool details_differ(const Region& a, const Region& b, MatchMode mode) {
  return mode == MatchMode::ByIdentity ? stable_name(a) != stable_name(b) : a.details != b.details;
}

std::vector<std::string_view> differing_fields(const Region& a, const Region& b, MatchMode mode) {
  std::vector<std::string_view> fields;
  if (a.type != b.type) fields.emplace_back("type");
  if (a.protection() != b.protection()) fields.emplace_back("protection");
  if (details_differ(a, b, mode)) fields.emplace_back("details");
  if (!rules_agree(a, b)) fields.emplace_back("rule");
  if (!agree(a.build_id, b.build_id)) fields.emplace_back("build_id");
  if (!blocks_agree(a, b)) fields.emplace_back("blocks");
  return fields;
}

Figures sum_of(const std::vector<Region>& regions, const std::vector<std::size_t>& indices) {
  Figures figures;
  for (const std::size_t i : indices) {
    if (&i == &indices.front())
      figures.usage = regions[i].usage;
    else
      figures.usage += regions[i].usage;
    figures.size += regions[i].range.size();
    figures.blocks += block_count(regions[i]);
  }
  return figures;
}

void judge(const SnapshotDiff& diff, RegionChange& change) {
  if (change.base.empty() || change.now.empty()) {
    change.change = change.base.empty() ? Change::Added : Change::Removed;
    return;
  }
  if (change.base.size() > 1 || change.now.size() > 1) {
    change.change = change.now.size() > change.base.size() ? Change::Split : Change::Merged;
    return;
  }
  const Region &before = diff.base.regions[change.base[0]], &after = diff.now.regions[change.now[0]];
  change.fields = differing_fields(before, after, diff.match);
  if (before.type != after.type) {
    change.change = Change::Changed;
    return;
  }
  change.change = judge_figures(diff.figures_before(change), diff.figures_after(change));
  if (change.change != Change::Unchanged) return;
  if (!change.fields.empty())
    change.change = Change::Changed;
  else if (!is_equal(before, after, details_differ(before, after, diff.match)))
    change.change = Change::Alike;
}

/// Names of the measures that one side has and the other does not.
std::string known_on_one_side(const Summary& known, const Summary& unknown) {
  std::string names;
  for (const Measure& measure : all_measures()) {
    const bool has = measure.of(known.total).known(), lacks = !measure.of(unknown.total).known();
    if (has && lacks && !is_comparable(known, unknown, measure))
      names += fmt::format("{}{}", names.empty() ? "" : ", ", measure.name);
  }
  return names;
}

/// A total with page tables and one without cannot be compared.
void level_page_tables(Snapshot& base, Snapshot& now, std::vector<Note>& notes) {
  if (base.page_table.known() == now.page_table.known()) return;
  notes.push_back(
      {"page_tables_left_out", fmt::format("{} tells nothing of page tables: they are left out of both sides",
                                           base.page_table.known() ? "new" : "base")});
  base.page_table = now.page_table = Bytes{};
}

void add_notes(SnapshotDiff& diff) {
  if ((diff.base.heap == nullptr) != (diff.now.heap == nullptr))
    diff.notes.push_back({"heap_one_side", "only one side tells what its heaps hold: they are not compared"});
  const auto note = [&diff](std::string code, std::string message) {
    diff.notes.push_back({std::move(code), std::move(message)});
  };
  const Target &a = diff.base.target, &b = diff.now.target;
  for (const Snapshot* side : {&diff.base, &diff.now})
    if (!side->regions_known)
      note("regions_unknown", fmt::format("the regions of {} are unknown: only what both sides know is compared",
                                          side == &diff.base ? "base" : "new"));
  if (a.system != b.system && !a.system.empty() && !b.system.empty())
    note("different_systems",
         fmt::format("base is a process of {}, new one of {}: types are compared by their names", a.system, b.system));
  if (a.pointer_bits && b.pointer_bits && a.pointer_bits != b.pointer_bits)
    note("different_word_sizes", fmt::format("base is a {}-bit process, new a {}-bit one: of two builds some growth "
                                             "is that of their pointers",
                                             *a.pointer_bits, *b.pointer_bits));
  if (a.page_size != b.page_size)
    note("different_page_sizes", fmt::format("base has pages of {} bytes, new of {}", a.page_size, b.page_size));
  const bool has_regions = diff.regions_known();
  if (const auto names = known_on_one_side(diff.base_totals, diff.now_totals); has_regions && !names.empty())
    note("known_in_base_only", fmt::format("not compared, since only base knows it: {}", names));
  if (const auto names = known_on_one_side(diff.now_totals, diff.base_totals); has_regions && !names.empty())
    note("known_in_new_only", fmt::format("not compared, since only new knows it: {}", names));
  if (diff.base.captured_at_unix_ms && diff.now.captured_at_unix_ms &&
      *diff.base.captured_at_unix_ms > *diff.now.captured_at_unix_ms)
    note("reversed", "base was captured after new: growth is told as if time ran backwards");
}

Address place_of(const SnapshotDiff& diff, const RegionChange& change) {
  return change.now.empty() ? diff.base.regions[change.base[0]].range.begin
                            : diff.now.regions[change.now[0]].range.begin;
}

/// The region as it was, at the place where it is now. What names a thread or a place comes from there as well.
Region moved_to(const Region& region, const Region& place) {
  Region moved = region;
  moved.range = place.range;
  moved.details = place.details;
  moved.evidence = place.evidence;
  for (std::size_t i = 0; i < moved.blocks.size(); ++i) moved.blocks[i].range = place.blocks[i].range;
  return moved;
}

}  // namespace

Figures SnapshotDiff::figures_before(const RegionChange& change) const { return sum_of(base.regions, change.base); }
Figures SnapshotDiff::figures_after(const RegionChange& change) const { return sum_of(now.regions, change.now); }

SnapshotDiff compare(Snapshot base, Snapshot now, const CompareOptions& options) {
  SnapshotDiff diff;
  for (const IgnorePattern& pattern : options.ignore) diff.ignored.push_back({.pattern = pattern.text});
  level_page_tables(base, now, diff.notes);
  diff.base_totals = totals_without_ignored(base, options.ignore, diff.ignored, &IgnoreUse::base);
  diff.now_totals = totals_without_ignored(now, options.ignore, diff.ignored, &IgnoreUse::now);
  Matching matching = match_regions(base, now, options.match);
  if (base.heap != nullptr && now.heap != nullptr) diff.heap = compare_heaps(*base.heap, *now.heap);
  diff.base = std::move(base);
  diff.now = std::move(now);
  diff.match = matching.mode;
  diff.match_reason = std::move(matching.reason);
  if (!diff.regions_known()) matching.matches.clear();
  diff.changes.reserve(matching.matches.size());
  for (RegionMatch& match : matching.matches) {
    RegionChange change{.base = std::move(match.base), .now = std::move(match.now), .fields = {}};
    judge(diff, change);
    diff.changes.push_back(std::move(change));
  }
  std::stable_sort(diff.changes.begin(), diff.changes.end(), [&diff](const RegionChange& a, const RegionChange& b) {
    return place_of(diff, a) < place_of(diff, b);
  });
  add_notes(diff);
  return diff;
}

bool is_comparable(const Summary& base, const Summary& now, const Measure& measure) {
  for (std::size_t i = 0; i < region_types.size(); ++i) {
    const RegionType type = region_types[i].type;
    if (type == RegionType::Free || type == RegionType::Unusable) continue;  // use nothing, as everybody knows
    const TypeTotal &a = base.rows[i], &b = now.rows[i];
    const bool has_regions = a.regions.value_or(0) > 0 && b.regions.value_or(0) > 0;
    if (has_regions && measure.of(a).known() && measure.of(b).known()) return true;
  }
  return false;
}

std::int64_t growth(const SnapshotDiff& diff, const RegionChange& change) {
  const Figures before = diff.figures_before(change), after = diff.figures_after(change);
  const Delta committed = difference(before.usage.committed, after.usage.committed);
  const Delta in_ram = difference(before.usage.total_ws, after.usage.total_ws);
  if (committed && in_ram) return std::max(*committed, *in_ram);
  if (committed || in_ram) return committed ? *committed : *in_ram;
  return difference(before.size, after.size).value_or(0);
}

std::vector<Region> apply(const std::vector<Region>& base, const SnapshotDiff& diff) {
  std::vector<Region> regions;
  for (const RegionChange& change : diff.changes) {
    if (change.change == Change::Unchanged) {
      regions.push_back(moved_to(base[change.base[0]], diff.now.regions[change.now[0]]));
    } else {
      for (const std::size_t i : change.now) regions.push_back(diff.now.regions[i]);
    }
  }
  std::sort(regions.begin(), regions.end(),
            [](const Region& a, const Region& b) { return a.range.begin < b.range.begin; });
  return regions;
}

}  // namespace vmscan
