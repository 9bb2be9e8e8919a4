// What changed in the heaps, as tables and as a part of the document "vmscan.diff/1".
#pragma once

#include "formats/native/json_writer.h"
#include "formats/views/table.h"
#include "libvmscan/diff/heap_diff.h"

namespace vmscan::formats {

/// A row for each heap whose live blocks changed (or each, with `all`), then their total.
Table heap_diff_table(const HeapDiff& diff, bool all);
/// A row for each size of which more or fewer blocks live, the largest growth in bytes first, at most `top`.
Table heap_sizes_diff_table(const HeapDiff& diff, std::optional<std::size_t> top);
/// A row for each C++ class of which more or fewer objects live, the largest growth in bytes first, at most `top`.
Table heap_types_diff_table(const HeapDiff& diff, std::optional<std::size_t> top);
/// The object "heap"; all heaps, and the sizes and classes of the tables.
void write_heap_diff(JsonWriter& json, const HeapDiff& diff, std::optional<std::size_t> top);

}  // namespace vmscan::formats
