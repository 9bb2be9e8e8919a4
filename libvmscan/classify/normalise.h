// Brings the mappings of any source into the order that everything after relies on.
#pragma once

#include "libvmscan/model/facts.h"

namespace vmscan {

/// Sorts the mappings, drops empty ones and cuts overlaps: what begins first keeps its bytes (of two that begin
/// together, the longer one), the other loses the part that is taken. Adds a note when anything was cut or dropped.
void normalise(Facts& facts);

}  // namespace vmscan
