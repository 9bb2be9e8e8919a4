// The headers of an ELF file that matter to a memory map: loadable segments, section names, RELRO, build id.
// Layout: System V ABI, elf(5). 32- and 64-bit, little-endian. Every count and offset of the file is checked.
#pragma once

#include "libvmscan/model/facts.h"
#include "libvmscan/model/result.h"
#include "libvmscan/source/file_bytes.h"

namespace vmscan {

/// Reads the headers; section names only when asked, as they cost two more reads.
/// Errors: Malformed (no ELF file, or headers that contradict themselves), Unsupported (big-endian), Truncated.
/// Missing or broken section headers and notes leave those fields empty: a stripped file is a good file.
Result<ElfImage> read_elf_image(const ReadAt& read, bool sections);

}  // namespace vmscan
