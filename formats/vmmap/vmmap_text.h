// VMMap's CSV and TXT: a heading, the summary and the regions with their blocks. What is known of them comes from real
// files and from readers of the current version; sizes are whole KB, rounded down, and 0 is an empty cell.
#pragma once

#include <string>
#include <string_view>

#include "formats/vmmap/vmmap_table.h"

namespace vmscan::formats {

/// Any line ends, separators and thousands separators; columns by their titles, in any order; a column that is not
/// there is unknown. A broken row, and a table that ends early, adds a Note.
/// Errors: Malformed (no table of regions), Truncated (ends before it).
Result<Snapshot> read_vmmap_csv(std::string_view text);
/// The same as text: cells begin where the titles do.
Result<Snapshot> read_vmmap_txt(std::string_view text);

/// As VMMap writes it: every field quoted, lines end CR CR LF. Control characters come out escaped.
std::string write_vmmap_csv(const Snapshot& snapshot);
/// Columns as wide as their longest cell; blocks are indented.
std::string write_vmmap_txt(const Snapshot& snapshot);

}  // namespace vmscan::formats
