// What glibc's dynamic loader keeps for itself.
#pragma once

#include "libvmscan/memory/target_memory.h"

namespace vmscan {

/// Pages of the memory that ld.so gave before there was a C library: by address, never overlapping.
std::vector<Range> find_loader_data(const TargetMemory& memory);

}  // namespace vmscan
