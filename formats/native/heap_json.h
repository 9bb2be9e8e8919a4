// What the documents on heaps and the snapshots that carry their sums have in common (formats/SCHEMA.md).
#pragma once

#include <span>

#include "formats/native/json_writer.h"
#include "libvmscan/model/heap_contents.h"

namespace vmscan::formats {

/// The numbers of a heap, or of several together.
void write_heap_figures(JsonWriter& json, const HeapTotals& heap);
/// "allocator", "name", and the numbers.
void write_heap_fields(JsonWriter& json, const HeapTotals& heap);
/// An object.
void write_size_of_blocks(JsonWriter& json, const SizeTotals& size);
/// The key "types" with an array.
void write_types(JsonWriter& json, std::span<const ObjectTotals> types);
/// An object with all that a snapshot keeps: "heaps", "sizes", by size, and "types".
void write_heap_contents(JsonWriter& json, const HeapContents& contents);

}  // namespace vmscan::formats
