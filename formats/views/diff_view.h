// What changed, as tables, JSON and Markdown: first per type and column, then per region.
#pragma once

#include <string>
#include <vector>

#include "formats/views/views.h"
#include "libvmscan/diff/snapshot_diff.h"
#include "libvmscan/diff/verdict.h"

namespace vmscan::formats {

inline constexpr std::string_view diff_schema = "vmscan.diff/1";

/// What the two sides are called on the command line.
struct DiffNames {
  std::string base, now;
};

struct DiffViewOptions {
  ViewOptions view;  // columns, sort, top and types of the regions; types choose rows of the totals, too
  bool all = false;  // unchanged regions and figures as well
};

/// A row for each type and measure that differs: type, column, base, new, delta, percent.
Table diff_totals_table(const SnapshotDiff& diff, const DiffViewOptions& options);

/// A row for each region that changed, the largest growth first unless sorted: sizes are deltas.
Table diff_regions_table(const SnapshotDiff& diff, const DiffViewOptions& options);

/// Document "vmscan.diff/1" (SCHEMA.md), one line.
std::string diff_json(const SnapshotDiff& diff, const DiffNames& names, const std::vector<Verdict>& verdicts,
                      const DiffViewOptions& options);

/// Headed by what was compared; the gate, the totals, and the regions that changed most (all, or options.view.top),
/// short enough for a comment on a pull request.
std::string diff_markdown(const SnapshotDiff& diff, const DiffNames& names, const std::vector<Verdict>& verdicts,
                          const DiffViewOptions& options);

/// "12 added, 3 removed, 40 grown …"; "nothing changed".
std::string count_changes(const SnapshotDiff& diff);

}  // namespace vmscan::formats
