#include "libvmscan/source/windows/layout/pe_image.h"

#include <algorithm>
#include <array>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/source/windows/layout/memory_constants.h"

namespace vmscan {
namespace {

constexpr std::uint64_t signature_pe = 0x4550;      // "PE\0\0"
constexpr std::uint64_t signature_dos = 0x5a4d;     // "MZ"
constexpr std::uint64_t largest_header = 64 << 10;  // e_lfanew lies in the first pages of every known file
constexpr std::size_t section_bytes = 40;

/// Section names are ASCII by convention, but hold any bytes.
std::string section_name(std::span<const std::byte> bytes) {
  std::string name;
  for (const std::byte byte : bytes.first(8)) {
    const auto c = std::to_integer<unsigned char>(byte);
    if (c == 0) break;
    name += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  }
  return name;
}

}  // namespace

Result<PeImage> read_pe_image(const MemoryReader& memory, Address base, std::size_t most_sections) {
  const auto get = [&](std::uint64_t offset, std::span<std::byte> buffer) {
    const auto range = Range::make(base, offset + buffer.size());
    return range && memory.read_whole(base + offset, buffer);
  };
  std::array<std::byte, 64> dos{};
  if (!get(0, dos)) return fail(ErrorCode::Truncated, "the memory of the DOS header is not all there");
  const std::uint64_t at = *number_at(dos, 60, 4);
  if (number_at(dos, 0, 2) != signature_dos || at > largest_header)
    return fail(ErrorCode::Malformed, "not an image of a PE file");
  std::array<std::byte, 24 + 64> nt{};  // file header, and the optional header up to SizeOfHeaders
  if (!get(at, nt)) return fail(ErrorCode::Truncated, "the memory of the NT headers is not all there");
  const std::uint64_t magic = *number_at(nt, 24, 2), count = *number_at(nt, 6, 2), optional = *number_at(nt, 20, 2);
  if (number_at(nt, 0, 4) != signature_pe || (magic != 0x10b && magic != 0x20b))
    return fail(ErrorCode::Malformed, "not an image of a PE file");
  PeImage image{.pointer_bits = magic == 0x20b ? 64U : 32U,
                .size = *number_at(nt, 24 + 56, 4),
                .header_size = *number_at(nt, 24 + 60, 4),
                .sections = {}};
  std::array<std::byte, section_bytes> section{};
  const auto usable = std::min<std::uint64_t>(count, most_sections);
  for (std::uint64_t i = 0; i < usable; ++i) {
    if (!get(at + 24 + optional + i * section_bytes, section)) break;  // what is there stands
    const std::uint64_t virtual_size = *number_at(section, 8, 4), raw_size = *number_at(section, 16, 4);
    image.sections.push_back({.name = section_name(section),
                              .address = *number_at(section, 12, 4),
                              .size = virtual_size != 0 ? virtual_size : raw_size,
                              .characteristics = *number32_at(section, 36)});
  }
  return image;
}

std::vector<ImageSection> sections_in_memory(const PeImage& image, Range module) {
  std::vector<ImageSection> sections;
  const auto add = [&](std::string name, std::uint64_t address, std::uint64_t size, Protection protection) {
    if (address >= module.size()) return;
    const Address begin = module.begin + address;
    sections.push_back({std::move(name), {begin, begin + std::min(size, module.end - begin)}, protection});
  };
  add("Header", 0, image.header_size, {.read = true});
  for (const PeSection& section : image.sections)
    add(section.name, section.address, section.size, protection_of_section(section.characteristics));
  std::erase_if(sections, [](const ImageSection& section) { return section.range.empty(); });
  std::stable_sort(sections.begin(), sections.end(),
                   [](const ImageSection& a, const ImageSection& b) { return a.range.begin < b.range.begin; });
  return sections;
}

}  // namespace vmscan
