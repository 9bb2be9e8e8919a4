// When glibc's malloc gives memory back by itself (M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, mallopt(3)).
#pragma once

#include "libvmscan/memory/target_memory.h"

namespace vmscan {

/// The size of the freed block for which malloc has raised both thresholds for good; nothing when it has not, or when
/// the program has set one, which ends that. `counters` is where n_mmaps of struct malloc_par lies.
Bytes raised_threshold(const TargetMemory& memory, Address counters);

}  // namespace vmscan
