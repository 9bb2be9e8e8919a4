// The parts that the JSON documents of snapshots, summaries and details have in common (SCHEMA.md).
#pragma once

#include "formats/native/json_writer.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan::formats {

/// Whether a column that is unknown is written as null or left out.
enum class UnknownColumns { Null, LeftOut };

/// "target", "captured_at", "consistency" and "label".
void write_head(JsonWriter& json, const Snapshot& snapshot);
/// "kernel" and "limits".
void write_kernel_and_limits(JsonWriter& json, const Snapshot& snapshot);
void write_notes(JsonWriter& json, const std::vector<Note>& notes);
/// "heap_shortfalls".
void write_heap_shortfalls(JsonWriter& json, const std::vector<HeapShortfall>& shortfalls);
/// All of these, which end a document on one snapshot.
void write_tail(JsonWriter& json, const Snapshot& snapshot);

void write_usage(JsonWriter& json, const Usage& usage, UnknownColumns unknown);

/// One region as an object. With UnknownColumns::Null also the fields that a snapshot file leaves out: the region's
/// protection, and evidence and build_id where there is none.
void write_region(JsonWriter& json, const Region& region, UnknownColumns unknown);
/// The same without the object around it and without its blocks.
void write_region_fields(JsonWriter& json, const Region& region, UnknownColumns unknown);

}  // namespace vmscan::formats
