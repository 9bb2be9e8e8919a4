#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "libvmscan/elf/elf_image.h"

using namespace vmscan;

namespace {

// Written byte by byte after the System V ABI, not with the structures of the reader.
class Bytes64 {
 public:
  void u16(std::size_t at, std::uint16_t value) { put(at, &value, sizeof value); }
  void u32(std::size_t at, std::uint32_t value) { put(at, &value, sizeof value); }
  void u64(std::size_t at, std::uint64_t value) { put(at, &value, sizeof value); }
  void text(std::size_t at, std::string_view value) { put(at, value.data(), value.size()); }
  std::vector<std::byte> bytes;

 private:
  void put(std::size_t at, const void* data, std::size_t size) {
    if (bytes.size() < at + size) bytes.resize(at + size);
    std::memcpy(bytes.data() + at, data, size);
  }
};

constexpr std::size_t program_headers = 64, notes = 0x200, names = 0x240, section_headers = 0x280;

void program_header(Bytes64& file, std::size_t index, std::uint32_t type, std::uint32_t flags, std::uint64_t offset,
                    std::uint64_t address, std::uint64_t file_size, std::uint64_t memory_size) {
  const std::size_t at = program_headers + index * 56;
  file.u32(at, type);
  file.u32(at + 4, flags);
  file.u64(at + 8, offset);
  file.u64(at + 16, address);
  file.u64(at + 32, file_size);
  file.u64(at + 40, memory_size);
}

void section_header(Bytes64& file, std::size_t index, std::uint32_t name, std::uint32_t type, std::uint64_t flags,
                    std::uint64_t address, std::uint64_t offset, std::uint64_t size) {
  const std::size_t at = section_headers + index * 64;
  file.u32(at, name);
  file.u32(at + 4, type);
  file.u64(at + 8, flags);
  file.u64(at + 16, address);
  file.u64(at + 24, offset);
  file.u64(at + 32, size);
  file.u64(at + 56, 0);
}

/// Code at 0, data with .bss and RELRO at 0x2000, a build id, three sections.
Bytes64 example() {
  Bytes64 file;
  file.text(0,
            "\x7f"
            "ELF\x02\x01\x01");
  file.u16(16, 3);
  file.u64(32, program_headers);
  file.u64(40, section_headers);
  file.u16(54, 56);
  file.u16(56, 4);
  file.u16(58, 64);
  file.u16(60, 4);
  file.u16(62, 3);
  program_header(file, 0, 1, 5, 0, 0, 0x300, 0x300);
  program_header(file, 1, 1, 6, 0x1000, 0x2000, 0x100, 0x900);
  program_header(file, 2, 0x6474e552, 4, 0x1000, 0x2000, 0x80, 0x80);
  program_header(file, 3, 4, 4, notes, notes, 20, 20);
  file.u32(notes, 4);
  file.u32(notes + 4, 4);
  file.u32(notes + 8, 3);
  file.text(notes + 12, std::string_view("GNU\0\xde\xad\xbe\xef", 8));
  file.text(names, std::string_view("\0.text\0.bss\0.strtab\0", 20));
  section_header(file, 0, 0, 0, 0, 0, 0, 0);
  section_header(file, 1, 1, 1, 2, 0x100, 0x100, 0x200);
  section_header(file, 2, 7, 8, 2 | 1, 0x2100, 0x1100, 0x800);
  section_header(file, 3, 12, 3, 0, 0, names, 20);
  return file;
}

Result<ElfImage> read(const std::vector<std::byte>& bytes, bool sections = true) {
  return read_elf_image(
      [&](std::uint64_t offset, std::span<std::byte> buffer) {
        if (offset >= bytes.size()) return std::size_t{0};
        const std::size_t n = std::min<std::size_t>(buffer.size(), bytes.size() - static_cast<std::size_t>(offset));
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), n, buffer.begin());
        return n;
      },
      {.sections = sections, .exports = true});
}

}  // namespace

TEST_CASE("the headers of an ELF file are read") {
  const auto image = read(example().bytes);
  REQUIRE(image.has_value());
  CHECK(image->pointer_bits == 64);
  REQUIRE(image->segments.size() == 2);
  CHECK((image->segments[0].execute && image->segments[0].read && !image->segments[0].write));
  CHECK(image->segments[1].address == 0x2000);
  CHECK(image->segments[1].offset == 0x1000);
  CHECK(image->segments[1].file_size == 0x100);
  CHECK(image->segments[1].memory_size == 0x900);
  CHECK(image->relro == Range{0x2000, 0x2080});
  CHECK(image->build_id == "deadbeef");
  REQUIRE(image->sections.size() == 2);
  CHECK(image->sections[0].name == ".text");
  CHECK(image->sections[1].name == ".bss");
  CHECK(image->sections[1].range == Range{0x2100, 0x2900});
}

TEST_CASE("section names are read only when asked for") { CHECK(read(example().bytes, false)->sections.empty()); }

TEST_CASE("an ELF file that was cut off is an error, or lacks what lay behind") {
  const std::vector<std::byte> whole = example().bytes;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto image = read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    INFO(size);
    CHECK(image.has_value() == (size >= program_headers + 4 * 56));
    if (!image) CHECK(image.error().code == (size < 16 ? ErrorCode::Malformed : ErrorCode::Truncated));
    if (image) CHECK(image->build_id.empty() == (size < notes + 20));
    if (image) CHECK(image->sections.empty());
  }
}

TEST_CASE("headers that lie are refused or left out") {
  Bytes64 file = example();
  SECTION("another magic") {
    file.text(0,
              "\x7f"
              "ELV");
    CHECK(read(file.bytes).error().code == ErrorCode::Malformed);
  }
  SECTION("big-endian") {
    file.text(5, "\x02");
    CHECK(read(file.bytes).error().code == ErrorCode::Unsupported);
  }
  SECTION("neither 32 nor 64 bits") {
    file.text(4, "\x03");
    CHECK(read(file.bytes).error().code == ErrorCode::Malformed);
  }
  SECTION("program headers of another size") {
    file.u16(54, 32);
    CHECK(read(file.bytes).error().code == ErrorCode::Malformed);
  }
  SECTION("program headers behind the end") {
    file.u64(32, ~std::uint64_t{0} - 10);
    CHECK(read(file.bytes).error().code == ErrorCode::Truncated);
  }
  SECTION("a segment that wraps around") {
    program_header(file, 1, 1, 6, 0x1000, ~std::uint64_t{0} - 0x10, 0x100, 0x900);
    CHECK(read(file.bytes)->segments.size() == 1);
  }
  SECTION("a name behind the names") {
    section_header(file, 1, 1000, 1, 2, 0x100, 0x100, 0x200);
    CHECK(read(file.bytes)->sections.size() == 1);
  }
  SECTION("a note longer than its segment") {
    file.u32(notes + 4, 0xffffffff);
    CHECK(read(file.bytes)->build_id.empty());
  }
}
