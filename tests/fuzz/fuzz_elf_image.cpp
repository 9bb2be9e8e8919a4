// Any bytes as an ELF file: an error, or headers whose ranges do not wrap.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "libvmscan/elf/elf_image.h"
#include "tests/fuzz/require.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

bool fits(std::uint64_t begin, std::uint64_t size) { return size <= std::numeric_limits<std::uint64_t>::max() - begin; }

void check(const ElfImage& image) {
  require(image.pointer_bits == 32 || image.pointer_bits == 64, "32 or 64 bits");
  for (const ElfSegment& segment : image.segments) {
    require(fits(segment.address, segment.memory_size) && fits(segment.offset, segment.file_size),
            "a segment does not wrap");
    require(segment.memory_size > 0 && segment.file_size <= segment.memory_size,
            "a segment has memory for its file part");
  }
  for (const ElfSection& section : image.sections) {
    require(!section.range.empty(), "a section is not empty");
    require(section.name.size() <= 64, "a section name is short");
  }
  require(std::all_of(image.build_id.begin(), image.build_id.end(),
                      [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }),
          "a build id is lower-case hex");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const ReadAt read = [&](std::uint64_t offset, std::span<std::byte> buffer) -> std::size_t {
    if (offset >= file.size()) return 0;
    const auto rest = file.subspan(static_cast<std::size_t>(offset));
    const std::size_t n = std::min(rest.size(), buffer.size());
    std::copy_n(rest.begin(), n, buffer.begin());
    return n;
  };
  for (const bool sections : {false, true})
    if (const auto image = read_elf_image(read, {.sections = sections, .exports = sections})) check(*image);
  return 0;
}
