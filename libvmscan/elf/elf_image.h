// The headers of an ELF file that matter to a memory map: loadable segments, section names, RELRO, build id.
// Layout: System V ABI, elf(5). 32- and 64-bit, little-endian. Every count and offset of the file is checked.
#pragma once

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/base/result.h"
#include "libvmscan/model/facts.h"

namespace vmscan {

/// What costs more reads than the headers.
struct ElfImageOptions {
  bool sections = false;  // their names
  bool exports = false;   // ElfImage::exports; only of a file, not of what a loader made of it
};

/// Reads the headers, and what `options` asks for.
/// Errors: Malformed (no ELF file, or headers that contradict themselves), Unsupported (big-endian), Truncated.
/// Missing or broken section headers and notes leave those fields empty: a stripped file is a good file.
Result<ElfImage> read_elf_image(const ReadAt& read, const ElfImageOptions& options);

/// Where the file holds `size` bytes that its headers put at `address`; nothing where it does not hold them all.
std::optional<std::uint64_t> file_offset(const ElfImage& image, std::uint64_t address, std::uint64_t size);

}  // namespace vmscan
