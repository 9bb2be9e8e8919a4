// The views of a waterfall: where the memory of a process went, as a table with advice below, as CSV and as JSON.
#pragma once

#include "formats/views/table.h"
#include "libvmscan/breakdown/waterfall.h"

namespace vmscan::formats {

inline constexpr std::string_view waterfall_schema = "vmscan.waterfall/1";

/// A row for each line, then their total.
Table waterfall_table(const Waterfall& waterfall);
/// The same for other programs: names instead of titles, no total.
Table waterfall_rows(const Waterfall& waterfall);
/// For below the table: what stands beside the total, then a paragraph for each advice, wrapped to style.width.
std::string waterfall_lines(const Waterfall& waterfall, const TableStyle& style);

/// The document "vmscan.waterfall/1" (formats/SCHEMA.md), one line with LF at its end. `snapshot` is of the same
/// moment.
std::string waterfall_json(const Snapshot& snapshot, const Waterfall& waterfall);

}  // namespace vmscan::formats
