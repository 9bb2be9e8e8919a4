// Which regions of a diff are shown, in which order; the same for every format.
#pragma once

#include <vector>

#include "formats/views/diff_view.h"
#include "formats/views/view_cells.h"

namespace vmscan::formats {

/// Of what is there now, or of what was.
RegionType type_of(const SnapshotDiff& diff, const RegionChange& change);

/// Whether the totals have a row for the type: always when it was asked for.
bool is_shown(const SnapshotDiff& diff, RegionType type, const ViewOptions& options);

/// Filtered, sorted (the largest growth first when not told) and cut.
std::vector<const RegionChange*> select_changes(const SnapshotDiff& diff, const DiffViewOptions& options);

}  // namespace vmscan::formats
