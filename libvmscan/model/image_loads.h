// Which mappings are one load of one ELF file: found by the bias that its segments have in common.
#pragma once

#include <cstdint>
#include <vector>

#include "libvmscan/model/facts.h"

namespace vmscan {

/// One load of one file. The same file loaded twice has two.
struct ImageLoad {
  const ElfImage* image = nullptr;
  Address bias = 0;                  // added to the addresses in the file, modulo 2^64
  Range span;                        // from the first segment to the end of the last, in whole pages
  std::vector<std::size_t> members;  // indexes of the mappings of the file, in rising order, at least one
  std::vector<Range> segments;       // in whole pages, in address order
  std::size_t segments_mapped = 0;   // how many of them have a mapping of the file as the headers say
  bool executable = false;           // an executable segment is mapped executable
};

/// Finds the loads: those with an executable segment, or with at least two segments where the headers say. A file that
/// is only mapped as data (one whole-file mapping) is none. `mappings` are sorted.
std::vector<ImageLoad> find_image_loads(const std::vector<Mapping>& mappings, const std::map<FileKey, ElfImage>& images,
                                        std::uint64_t page_size);

}  // namespace vmscan
