// Which of the files that a core names are ELF images.
#pragma once

#include <map>

#include "libvmscan/model/facts.h"
#include "libvmscan/source/elf/core_disk.h"
#include "libvmscan/source/source.h"

namespace vmscan {

struct CoreImages {
  std::map<FileKey, DiskFile> files;  // of the same build id as in memory: their bytes are the process's
  std::size_t unverified = 0;         // images without a header in memory, of which a file on disk has the layout
};

/// Fills facts.images: from the headers in memory, with the section names of the files on disk that have their build
/// ids (CollectOptions::file_root and sections); where memory holds no header, from files of which every segment fits.
CoreImages find_core_images(Facts& facts, const MemoryReader& memory, const CollectOptions& options);

/// Fills facts.images from the headers in memory alone, where there is none yet.
void find_images_in_memory(Facts& facts, const MemoryReader& memory);

}  // namespace vmscan
