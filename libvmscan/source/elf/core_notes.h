// The notes of an ELF core.
#pragma once

#include "libvmscan/source/elf/core_file.h"

namespace vmscan {

/// Reads one PT_NOTE of the file into the core; returns how many notes were broken or cut off.
std::size_t read_core_notes(const FileBytes& file, std::uint64_t offset, std::uint64_t size, CoreFile& core);

}  // namespace vmscan
