// From the contents of a core to facts.
#pragma once

#include "libvmscan/model/facts.h"
#include "libvmscan/source/elf/core_file.h"
#include "libvmscan/source/source.h"

namespace vmscan {

/// Segments and NT_FILE in union; images by the ELF headers that the memory holds. Working sets stay unknown.
Facts facts_of_core(const CoreFile& core, const MemoryReader& memory);

}  // namespace vmscan
