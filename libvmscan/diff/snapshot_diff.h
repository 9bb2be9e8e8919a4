// What changed between two snapshots.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/diff/figure.h"
#include "libvmscan/diff/heap_diff.h"
#include "libvmscan/diff/ignore.h"
#include "libvmscan/diff/region_match.h"
#include "libvmscan/model/delta.h"

namespace vmscan {

enum class Change : std::uint8_t {
  Added,
  Removed,
  Grown,    // the first figure that differs (size, then the columns in their order) is larger
  Shrunk,   // … is smaller
  Changed,  // another type; or all figures are the same, but protection, details, rule, build id or blocks are not
  Split,    // became several
  Merged,   // several became one (or fewer)
  Alike,    // what both sides know is the same, but one side knows less
  Unchanged,
};

struct ChangeName {
  Change change;
  std::string_view name;
};
inline constexpr std::array<ChangeName, 9> change_names{{
    {Change::Added, "added"},
    {Change::Removed, "removed"},
    {Change::Grown, "grown"},
    {Change::Shrunk, "shrunk"},
    {Change::Changed, "changed"},
    {Change::Split, "split"},
    {Change::Merged, "merged"},
    {Change::Alike, "alike"},
    {Change::Unchanged, "unchanged"},
}};
/// Whether a reader wants to see it without asking for everything.
constexpr bool is_news(Change change) { return change != Change::Unchanged && change != Change::Alike; }
constexpr std::string_view name_of(Change change) { return change_names[static_cast<std::size_t>(change)].name; }

/// Regions of the base and what became of them. Indices into the regions of the two snapshots, in address order.
struct RegionChange {
  Change change = Change::Unchanged;
  std::vector<std::size_t> base, now;
  std::vector<std::string_view> fields;  // what is known on both sides and differs, beside figures: "type", "rule" …
};

/// Size and usage of several regions together; the neutral element when there are none.
struct Figures {
  Bytes size = 0, blocks = 0;
  Usage usage = Usage::zero();
};

struct CompareOptions {
  MatchMode match = MatchMode::Auto;
  std::vector<IgnorePattern> ignore;
};

struct SnapshotDiff {
  Snapshot base, now;  // without the regions that were ignored
  MatchMode match = MatchMode::ByAddress;
  std::string match_reason;
  std::vector<RegionChange> changes;  // Unchanged included; in address order of what is there now, then of what was
  Summary base_totals, now_totals;    // without the regions that were ignored; Free as if they were there
  std::optional<HeapDiff> heap;       // when both sides carry what their heaps hold
  std::vector<IgnoreUse> ignored;     // one for each pattern
  std::vector<Note> notes;            // on the comparison itself

  bool regions_known() const { return base.regions_known && now.regions_known; }  // else there are no changes
  Figures figures_before(const RegionChange& change) const;
  Figures figures_after(const RegionChange& change) const;
};

/// Never fails: what cannot be compared is unknown, with a note (a map that could not be read, columns that one side
/// does not have, two systems, two word sizes, two page sizes).
SnapshotDiff compare(Snapshot base, Snapshot now, const CompareOptions& options);

/// Whether some type that holds memory on both sides has this measure known on both.
bool is_comparable(const Summary& base, const Summary& now, const Measure& measure);

/// By how much a region grew: the largest of what it committed and what it has in RAM more than before, and when
/// neither is known its size. Orders regions by what they cost.
std::int64_t growth(const SnapshotDiff& diff, const RegionChange& change);

/// The regions of the base with the changes made: those of the new snapshot, but that of what is unchanged only the
/// place is taken from there.
std::vector<Region> apply(const std::vector<Region>& base, const SnapshotDiff& diff);

}  // namespace vmscan
