// Files on disk that a core names, and what a core's bytes tell beside them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/model/facts.h"
#include "libvmscan/source/source.h"

namespace vmscan {

/// Bytes of a mapping that the core left out and a file on disk holds.
struct FileBacking {
  Range range;
  std::uint64_t offset = 0;  // into the file
  FileBytes file;
};

struct DiskFile {
  FileBytes bytes;
  ElfImage image;
};

/// The file of that path below `root` (empty: the machine's own), if it is an ELF file. A core's paths may come from
/// another machine and are as hostile as the rest of it: nothing outside of the root, nothing of /dev, /proc and /sys
/// is opened, and its bytes are the process's only if the build id is the same.
std::optional<DiskFile> open_disk_image(const std::string& root, const std::string& path, bool sections);

/// Bytes of the pages in [begin, begin + size) that differ from the file at `offset`: what the process changed. Nothing
/// when the core or the file does not hold them all.
Bytes changed_bytes(const MemoryReader& memory, Range range, const FileBytes& file, std::uint64_t offset,
                    std::uint64_t page_size);

/// Whether every page of the range holds something but zeros; the core does not tell such a page from an absent one.
bool every_page_holds_something(const MemoryReader& memory, Range range, std::uint64_t page_size);

/// Whether any byte of the range that the core holds is not zero. Looks at its first 64 KiB and at 64 pages spread
/// over the rest, so that terabytes cost nothing.
bool holds_anything(const MemoryReader& memory, Range range);

}  // namespace vmscan
