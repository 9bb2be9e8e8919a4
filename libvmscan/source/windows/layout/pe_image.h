// The headers of a PE file as they lie in memory (Microsoft's "PE Format"): DOS header, NT headers, section table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/model/allocations.h"
#include "libvmscan/source/source.h"

namespace vmscan {

struct PeSection {
  std::string name;
  std::uint64_t address = 0, size = 0;  // relative to the base, in bytes, in memory
  std::uint32_t characteristics = 0;    // IMAGE_SCN_*
};

struct PeImage {
  unsigned pointer_bits = 64;
  std::uint64_t size = 0;         // SizeOfImage
  std::uint64_t header_size = 0;  // bytes from the base that hold the headers
  std::vector<PeSection> sections;
};

/// Reads the headers at `base` of the target's memory; at most `most_sections` sections.
/// Errors: Malformed (no PE image), Truncated (the memory there is not all known).
Result<PeImage> read_pe_image(const MemoryReader& memory, Address base, std::size_t most_sections);

/// Header and sections with their names, in address order, in memory.
std::vector<ImageSection> sections_in_memory(const PeImage& image, Range module);

}  // namespace vmscan
