// From the contents of a core to facts.
#pragma once

#include "libvmscan/model/facts.h"
#include "libvmscan/source/elf/core_disk.h"
#include "libvmscan/source/elf/core_file.h"
#include "libvmscan/source/source.h"

namespace vmscan {

struct CoreFacts {
  Facts facts;
  std::vector<FileBacking> backing;   // sorted by address
  std::map<FileKey, DiskFile> files;  // with the build ids of what was mapped
};

/// Segments and NT_FILE in union; images by the ELF headers that the memory holds, and by the files on disk that have
/// their build ids (CollectOptions::file_root and sections). Working sets stay unknown.
CoreFacts facts_of_core(const CoreFile& core, const MemoryReader& memory, const CollectOptions& options);

}  // namespace vmscan
