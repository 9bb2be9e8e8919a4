// The two views of a snapshot as tables and as JSON: summary (a row a type) and details (a row a region).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/views/table.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan::formats {

inline constexpr std::string_view summary_schema = "vmscan.summary/1";
inline constexpr std::string_view details_schema = "vmscan.details/1";

struct ViewOptions {
  std::vector<const Column*> columns{};  // from choose_columns()
  SortOrder sort{};
  std::optional<std::size_t> top{};  // keep the first N rows after sorting
  std::vector<RegionType> types{};   // empty: all
  bool hide_zero_rows = true;        // summary: types of which there is nothing
  bool expand = false;               // details: blocks under their region
  bool free = false;                 // details: Free regions too, as when `types` has Free
  bool explain = false;              // details: columns rule and evidence
  std::optional<Address> address{};  // details: only the region (or hole) with it, and its two neighbours
};

Table summary_table(const Snapshot& snapshot, const ViewOptions& options);
/// Of sums that are already there, such as those of several processes.
Table summary_table(const Summary& summary, const ViewOptions& options);
Table details_table(const Snapshot& snapshot, const ViewOptions& options);

/// Documents "vmscan.summary/1" and "vmscan.details/1" (formats/SCHEMA.md), one line with LF at its end. Types, top,
/// sort, free and address choose rows as in the tables; all columns are always there; the total stays over everything.
std::string summary_json(const Snapshot& snapshot, const ViewOptions& options);
/// The same with sums that are already there; all but the rows is taken from `head`.
std::string summary_json(const Snapshot& head, const Summary& summary, const ViewOptions& options);
std::string details_json(const Snapshot& snapshot, const ViewOptions& options);

}  // namespace vmscan::formats
