// A snapshot together with a walk over the heaps of the same moment.
#pragma once

#include <optional>

#include "cli/arguments/target.h"
#include "libvmscan/owners/allocators/heap_report.h"

namespace vmscan::cli {

struct HeapLook {
  Snapshot snapshot;  // with the notes of the walk among its own
  HeapReport report;
};

/// A failure where the heaps cannot be looked at.
Expected<HeapLook> look_at_heaps(OpenTarget& target, const CollectOptions& collect, const HeapOptions& options);

/// As far as it goes: without a report, and a note that says why, where the heaps cannot be looked at.
struct PartialLook {
  Snapshot snapshot;
  std::optional<HeapReport> report;
};
Expected<PartialLook> look_as_far_as_possible(OpenTarget& target, const CollectOptions& collect,
                                              const HeapOptions& options);

/// take_snapshot(), with what the heaps hold where they are asked for; a note says why where that cannot be told.
enum class WithHeaps : bool { No, Yes };
Expected<Snapshot> take_snapshot(OpenTarget& target, const CollectOptions& collect, WithHeaps heaps);

}  // namespace vmscan::cli
