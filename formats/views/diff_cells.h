// Cells of a diff.
#pragma once

#include "formats/views/table.h"
#include "libvmscan/diff/snapshot_diff.h"

namespace vmscan::formats {

/// now − base; unknown when either is.
Cell delta_cell(Bytes base, Bytes now, bool count);
/// (now − base) / base in hundredths of a percent, rounded towards 0; unknown from a base of 0 and beyond 10^12 %.
Cell percent_cell(Bytes base, Bytes now);
/// Of a region and what became of it. Addresses and texts are those of what is there now, or of what was.
Cell cell_of(const SnapshotDiff& diff, const RegionChange& change, const Column& column);

/// "now 3 regions", "Read/Write → Read": what happened beside growth; empty for most.
std::string remark(const SnapshotDiff& diff, const RegionChange& change);

}  // namespace vmscan::formats
