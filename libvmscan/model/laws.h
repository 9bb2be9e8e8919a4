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

}  // namespace vmscan
