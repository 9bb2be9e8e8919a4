// Facts written down as text, for tests and fuzzing: lines of /proc/PID/maps, and between them
//   pages BEGIN-END CONDITION        a run of pages: p present, f file, x exclusive, s swapped, g guard, h hugetlb
//   smaps PSS SWAP                   of the mapping before, in bytes; other columns follow PSS
//   elf MAJOR:MINOR INODE            an image; its segments and sections follow
//   segment ADDRESS OFFSET FILE_SIZE MEMORY_SIZE rwx
//   section BEGIN-END NAME
//   relro BEGIN-END
//   thread ID STACK_POINTER
//   stack BEGIN-END GUARD ID         in a C library's list; ID 0: kept for the next thread
//   tmpfs MAJOR:MINOR                a device whose files live in RAM
//   space BEGIN-END · lowest N · gap N · bits N · brk N
// Numbers are hexadecimal but INODE, ID and bits. A line that is none of these is passed over.
#pragma once

#include <string_view>

#include "libvmscan/model/facts.h"

namespace vmscan::tests {

/// Pages are known, nothing is locked; what the text does not tell has its default.
Facts facts_from_text(std::string_view text);

}  // namespace vmscan::tests
