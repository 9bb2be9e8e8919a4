// How deep stacks were used, as far as their pages tell.
#pragma once

#include <string>

#include "libvmscan/model/facts.h"

namespace vmscan {

/// From the stack's end down to the lowest page that is in RAM or in swap: ", used 12 K deep". A huge page is in RAM as
/// a whole, whatever was used of it: then only what is in RAM is said, and what is in use now where `pointer` tells.
/// Empty where the pages are not known.
std::string deepest_use(const Facts& facts, Range stack, std::optional<Address> pointer);

/// The huge pages behind stacks of threads that wait or have ended; nothing when there are none.
std::optional<HugeStacks> huge_stacks_of(const Facts& facts);

}  // namespace vmscan
