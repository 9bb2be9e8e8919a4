// What a block looks like from outside: an object, a text, pointers, zeros.
#pragma once

#include <string>

#include "libvmscan/owners/allocators/heap_report.h"
#include "libvmscan/owners/allocators/objects.h"

namespace vmscan {

/// Looks at the beginning of each block that is listed. Texts are kept (their first bytes) when `contents` is set:
/// memory holds secrets. Blocks that are not in RAM stay as they are.
void look_at_blocks(const TargetMemory& memory, bool contents, HeapReport& report);

}  // namespace vmscan
