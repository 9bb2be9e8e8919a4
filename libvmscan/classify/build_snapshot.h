// Facts in, Snapshot out: the one judge for all systems and sources.
#pragma once

#include "libvmscan/model/facts.h"

namespace vmscan {

/// Pure: normalises the mappings (sorts, cuts overlaps, with a note), applies the rule table of classify/rules.h in
/// its order, and accounts. The same facts always give the same snapshot.
Snapshot build_snapshot(Facts facts);

}  // namespace vmscan
