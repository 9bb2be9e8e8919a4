// Snapshots for tests: a rich one with every kind of value, and a long one.
#pragma once

#include "libvmscan/model/snapshot.h"

namespace vmscan::tests {

/// Usage of `committed` bytes of which some are in RAM; the columns of smaps stay unknown.
Usage usage_of(std::uint64_t committed, std::uint64_t private_bytes, std::uint64_t private_ws,
               std::uint64_t shareable_ws, std::uint64_t shared_ws);

/// A region of one block.
Region region_of(RegionType type, Address begin, std::uint64_t size, const Usage& usage);

/// Five regions of four types, a hole, a thread, limits, notes; holds every law.
Snapshot rich_snapshot();

/// `count` regions of one page with a page between them.
Snapshot long_snapshot(std::size_t count);

}  // namespace vmscan::tests
