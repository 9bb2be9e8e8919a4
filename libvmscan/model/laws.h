// What holds for every snapshot whatever its source; asserted on every snapshot that any test makes.
#pragma once

#include <string>
#include <vector>

#include "libvmscan/model/snapshot.h"

namespace vmscan {

/// Checks: regions sorted, not overlapping · blocks cover their region · total = private + shareable working set ·
/// shared ≤ shareable · total working set ≤ committed · a region's usage is the sum of its blocks · the summary's total
/// is the sum of its rows. Returns one sentence for each broken law, at most 20; empty when all hold.
std::vector<std::string> broken_laws(const Snapshot& snapshot);

/// Only the laws about addresses and types: what every walk over a snapshot relies on.
std::vector<std::string> broken_structure(const Snapshot& snapshot);

/// The first law that the usage of this region and its blocks breaks, as a sentence; empty when all hold.
std::string broken_usage(const Region& region);

}  // namespace vmscan
