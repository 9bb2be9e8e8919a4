// Facts in, Snapshot out: the one judge for all systems and sources.
#pragma once

#include <cstdint>

#include "libvmscan/model/facts.h"

namespace vmscan {

/// Sums: of the regions only what they add up to (Snapshot::sums), where mappings are judged.
enum class Wanted : std::uint8_t { Regions, Sums };

/// Pure: normalises the mappings (sorts, cuts overlaps, with a note), applies the rule table of classify/rules.h in
/// its order, and accounts. The same facts always give the same snapshot.
Snapshot build_snapshot(Facts facts, Wanted wanted = Wanted::Regions);

}  // namespace vmscan
