// Cores beside the files on disk that they name.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/source/elf/core_facts.h"
#include "libvmscan/source/elf/core_memory.h"
#include "tests/unit/core_builder.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

constexpr std::size_t page = 4096;
constexpr Address base = 0x400000;
constexpr Range file_range{base, base + 4 * page}, whole_range{base, base + 5 * page};
constexpr std::uint64_t one_page = page, three_pages = 3 * page;

/// A page of headers, one of code (0x11), two of data (0x22); .bss makes a fifth page.
std::vector<std::byte> elf_file(unsigned build_id) {
  ByteWriter out;
  out.text(
         "\x7f"
         "ELF\x02\x01\x01",
         16)
      .number(3, 2)
      .number(62, 2)
      .number(1, 4)
      .number(0, 8)
      .number(64, 8)
      .number(0, 8);
  out.number(0, 4).number(64, 2).number(56, 2).number(4, 2).number(64, 2).number(0, 4);
  const auto header = [&](unsigned type, unsigned flags, std::uint64_t at, std::uint64_t size, std::uint64_t memory) {
    out.number(type, 4).number(flags, 4).number(at, 8).number(at, 8).number(at, 8).number(size, 8).number(memory, 8);
    out.number(page, 8);
  };
  header(1, 4, 0, page, page);
  header(1, 5, page, page, page);
  header(1, 6, 2 * page, 2 * page, 3 * page);
  header(4, 4, 288, 24, 24);
  out.number(4, 4).number(8, 4).number(3, 4).text("GNU", 4).number(build_id, 8);
  out.bytes.resize(page);
  out.bytes.resize(2 * page, std::byte{0x11});
  out.bytes.resize(4 * page, std::byte{0x22});
  return out.bytes;
}

/// A directory with /lib/one in it, gone at the end.
class Root {
 public:
  explicit Root(const std::vector<std::byte>& file)
      : path_(std::filesystem::temp_directory_path() / ("vmscan-root-" + std::to_string(std::rand()))) {
    std::filesystem::create_directories(path_ / "lib");
    std::ofstream out(path_ / "lib" / "one", std::ios::binary);
    out.write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  ~Root() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// The file above, mapped with its first data page made read-only (RELRO), and .bss, which is dumped when
/// the headers are.
std::vector<std::byte> core_of(const std::vector<std::byte>& headers, const std::vector<std::byte>& relro) {
  CoreBuilder core;
  core.load(4, base, page, headers).load(5, base + page, page).load(4, base + 2 * page, page, relro);
  core.load(6, base + 3 * page, page, std::vector<std::byte>(page, std::byte{0x33}))
      .load(6, base + 4 * page, page, std::vector<std::byte>(headers.size(), std::byte{0x55}));
  core.files({{base, base + page, 0, "/lib/one"},
              {base + page, base + 2 * page, 1, "/lib/one"},
              {base + 2 * page, base + 3 * page, 2, "/lib/one"},
              {base + 3 * page, base + 4 * page, 3, "/lib/one"}});
  return core.build();
}

struct Looked {
  Snapshot snapshot;
  std::array<int, 5> first_bytes{};  // of each page; -1: a hole
  bool has_note(const std::string& code) const {
    return std::any_of(snapshot.notes.begin(), snapshot.notes.end(),
                       [&](const Note& note) { return note.code == code; });
  }
};

Looked look(const std::vector<std::byte>& bytes, const std::string& root) {
  const auto core = read_core_file(bytes_of(bytes));
  REQUIRE(core);
  CoreMemory memory(bytes_of(bytes), *core);
  CollectOptions options;
  options.file_root = root;
  CoreFacts found = facts_of_core(*core, memory, options);
  memory.set_backing(std::move(found.backing));
  Looked looked{build_snapshot(std::move(found.facts)), {}};
  CHECK(broken_laws(looked.snapshot).empty());
  for (std::size_t i = 0; i < looked.first_bytes.size(); ++i) {
    std::byte byte{};
    const auto count = memory.read_some(base + i * page, {&byte, 1});
    looked.first_bytes[i] = count && *count == 1 ? std::to_integer<int>(byte) : -1;
  }
  return looked;
}

std::vector<std::byte> part_of(const std::vector<std::byte>& file, std::size_t number) {
  const auto at = file.begin() + static_cast<std::ptrdiff_t>(number * page);
  return {at, at + static_cast<std::ptrdiff_t>(page)};
}

}  // namespace

TEST_CASE("a file with the same build id gives the bytes that the core left out, and tells what was changed") {
  const std::vector<std::byte> file = elf_file(7);
  const Root root(file);
  std::vector<std::byte> relro = part_of(file, 2);
  SECTION("nothing was changed") {
    const Looked looked = look(core_of(part_of(file, 0), relro), root.path());
    CHECK(looked.snapshot.regions[0].blocks[2].usage.private_bytes == Bytes{0});
  }
  SECTION("a pointer was relocated") {
    relro[100] = std::byte{0x44};
    const Looked looked = look(core_of(part_of(file, 0), relro), root.path());
    REQUIRE(looked.snapshot.regions.size() == 1);
    const Region& image = looked.snapshot.regions[0];
    CHECK(image.type == RegionType::Image);
    CHECK(image.rule == "elf_load");
    CHECK(image.build_id == "0700000000000000");
    CHECK(image.range == whole_range);
    CHECK(image.blocks[2].usage.private_bytes == one_page);
    CHECK(image.usage.private_bytes == three_pages);
    CHECK(looked.first_bytes == std::array<int, 5>{0x7f, 0x11, 0x22, 0x33, 0x55});
    CHECK(looked.has_note("core_read_from_files"));
  }
}

TEST_CASE("a file with another build id is not the process's") {
  const std::vector<std::byte> file = elf_file(7);
  const Root root(elf_file(8));
  const Looked looked = look(core_of(part_of(file, 0), part_of(file, 2)), root.path());
  CHECK(looked.snapshot.regions[0].rule == "elf_load");
  CHECK(looked.snapshot.regions[0].build_id == "0700000000000000");
  CHECK_FALSE(looked.snapshot.regions[0].usage.private_bytes.known());
  CHECK(looked.first_bytes == std::array<int, 5>{0x7f, -1, 0x22, 0x33, 0x55});
  CHECK(looked.has_note("core_private_unknown"));
  CHECK_FALSE(looked.has_note("core_read_from_files"));
}

TEST_CASE("where the core has no header, a file that fits tells where the image ends, but gives no bytes") {
  const std::vector<std::byte> file = elf_file(7);
  const Root root(file);
  const Looked looked = look(core_of({}, {}), root.path());
  REQUIRE(looked.snapshot.regions.size() == 1);
  CHECK(looked.snapshot.regions[0].rule == "elf_load");
  CHECK(looked.snapshot.regions[0].range == whole_range);
  CHECK(looked.snapshot.regions[0].build_id.empty());
  CHECK(looked.first_bytes == std::array<int, 5>{-1, -1, -1, 0x33, -1});
  CHECK(looked.has_note("core_images_unverified"));
}

TEST_CASE("without private memory in a core nobody knows what was changed of files that were not dumped") {
  const Looked looked = look(core_of({}, {}), "/nonexistent");
  CHECK_FALSE(looked.snapshot.regions[0].blocks[2].usage.private_bytes.known());
  CHECK(looked.has_note("core_private_not_dumped"));
}

TEST_CASE("where no file fits, what is mapped executable is an image without its .bss") {
  std::vector<std::byte> other = elf_file(7);
  other[64 + 56 + 4] = std::byte{4};  // its code is not executable
  const Root root(other);
  const Looked looked = look(core_of({}, {}), root.path());
  REQUIRE(looked.snapshot.regions.size() == 2);
  CHECK(looked.snapshot.regions[0].rule == "executable_file");
  CHECK(looked.snapshot.regions[0].range == file_range);
  CHECK_FALSE(looked.has_note("core_images_unverified"));
}

TEST_CASE("a core's paths lead to plain files below the root only") {
  const Root root(elf_file(7));
  CHECK(open_disk_image(root.path(), "/lib/one", false).has_value());
  for (const std::string& path : {std::string("lib/one"), std::string("/lib/../lib/one"), std::string("/lib/.."),
                                  std::string("/lib"), std::string("/lib/two"), std::string("/dev/zero"),
                                  std::string("/proc/self/exe"), std::string("/lib/one\0", 9), std::string()})
    CHECK_FALSE(open_disk_image(root.path(), path, false).has_value());
  CHECK_FALSE(open_disk_image("", "/dev/zero", false).has_value());
}
