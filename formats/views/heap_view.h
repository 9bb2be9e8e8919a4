// The views of a heap report: its heaps, the sizes of its blocks, and single blocks, as tables and as JSON.
#pragma once

#include "formats/views/table.h"
#include "libvmscan/model/snapshot.h"
#include "libvmscan/owners/allocators/heap_report.h"

namespace vmscan::formats {

inline constexpr std::string_view heap_schema = "vmscan.heap/1";

/// A row for each heap, then their total.
Table heap_table(const HeapReport& report);
/// A row for each size, most live bytes first, at most `top`; with its allocator where there are several.
Table heap_sizes_table(const HeapReport& report, std::optional<std::size_t> top);
/// A row for each C++ class, most bytes first, at most `top`.
Table heap_types_table(const HeapReport& report, std::optional<std::size_t> top);
/// A row for each block that was asked for, by address, at most `top`.
Table heap_blocks_table(const HeapReport& report, std::optional<std::size_t> top);

struct HeapJson {
  bool sizes = false, types = false, blocks = false;  // which parts are written beside the heaps
  std::optional<std::size_t> top;                     // of sizes and blocks
  std::optional<Address> address;                     // the region with it is written, too
};

/// The document "vmscan.heap/1" (formats/SCHEMA.md), one line with LF at its end. `snapshot` is of the same moment.
std::string heap_json(const Snapshot& snapshot, const HeapReport& report, const HeapJson& options);

/// The region with the address; null when there is none.
const Region* region_with(const Snapshot& snapshot, Address address);

}  // namespace vmscan::formats
