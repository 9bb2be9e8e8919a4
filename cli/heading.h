// What stands above a table: whose numbers these are, and on a terminal VMMap's three bars.
#pragma once

#include <string>

#include "formats/views/table.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan::cli {

/// "chromium  pid 18846  --type=renderer … 2026-11-21 08:00:12Z   827 mappings of 65,530   stable", one line.
/// `width` 0: as wide as it needs.
std::string title_line(const Snapshot& snapshot, std::size_t width);

/// Committed, private and working set as bars, split in the colours of the types, all on one scale. Empty when the sums
/// are unknown.
std::string bars(const Summary& summary, std::size_t width, bool color);

/// Resources with their limits, and the peak, for below the table: "stack 132 of 8,192 K · locked 0 of 8,192 K …",
/// wrapped to `width`. What has no limit is left out; empty when nothing is left.
std::string limit_lines(const Snapshot& snapshot, std::size_t width);

/// What the kernel tells everybody, for a process whose map may not be read: one line for each counter that is known.
std::string kernel_totals(const Snapshot& snapshot, formats::Units units);

}  // namespace vmscan::cli
