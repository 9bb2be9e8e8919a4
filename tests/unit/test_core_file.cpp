// ELF cores built byte by byte, whole, cut off at every byte, and hostile.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/source/elf/core_facts.h"
#include "libvmscan/source/elf/core_memory.h"

using namespace vmscan;

namespace {

class Writer {
 public:
  Writer& number(std::uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
    return *this;
  }
  Writer& text(const std::string& value, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i)
      bytes.push_back(i < value.size() ? static_cast<std::byte>(value[i]) : std::byte{0});
    return *this;
  }
  Writer& note(unsigned type, const std::vector<std::byte>& descriptor) {
    number(5, 4).number(descriptor.size(), 4).number(type, 4).text("CORE", 8);
    bytes.insert(bytes.end(), descriptor.begin(), descriptor.end());
    while (bytes.size() % 4 != 0) bytes.push_back(std::byte{0});
    return *this;
  }
  std::vector<std::byte> bytes;
};

struct Load {
  std::uint64_t flags, address, file_size, memory_size;
};

/// A 64-bit x86 core: header, program headers (notes last), notes, one page of 0xaa for each dumped segment.
std::vector<std::byte> make_core(const std::vector<Load>& loads) {
  Writer files;
  files.number(1, 8).number(4096, 8).number(0x400000, 8).number(0x402000, 8).number(3, 8).text("/opt/a b", 9);
  Writer status;
  status.text("", 32).number(77, 4).text("", 76).text("", 19 * 8).number(0x7ffff800, 8).text("", 64);
  Writer notes;
  notes.note(0x46494c45, files.bytes).note(1, status.bytes);
  const std::uint64_t headers = loads.size() + 1, notes_at = 64 + headers * 56;
  std::uint64_t data_at = notes_at + notes.bytes.size();
  Writer core;
  core.text(
          "\x7f"
          "ELF\x02\x01\x01",
          16)
      .number(4, 2)
      .number(62, 2)
      .number(1, 4)
      .number(0, 8)
      .number(64, 8);
  core.number(0, 8).number(0, 4).number(64, 2).number(56, 2).number(headers, 2).number(0, 6);
  for (const Load& load : loads) {
    core.number(1, 4).number(load.flags, 4).number(data_at, 8).number(load.address, 8).number(0, 8);
    core.number(load.file_size, 8).number(load.memory_size, 8).number(4096, 8);
    data_at += load.file_size;
  }
  core.number(4, 4).number(4, 4).number(notes_at, 8).number(0, 16).number(notes.bytes.size(), 8).number(0, 16);
  core.bytes.insert(core.bytes.end(), notes.bytes.begin(), notes.bytes.end());
  core.bytes.resize(static_cast<std::size_t>(data_at), std::byte{0xaa});
  return core.bytes;
}

const std::vector<Load> plain{{4, 0x400000, 0, 0x2000}, {6, 0x7fff0000, 256, 0x10000}, {0, 0x60000000, 0, 0x1000}};

Snapshot snapshot_of(const CoreFile& core, const MemoryReader& memory) {
  Snapshot snapshot = build_snapshot(facts_of_core(core, memory, {}).facts);
  CHECK(broken_laws(snapshot).empty());
  return snapshot;
}

bool has_note(const CoreFile& core, const std::string& code) {
  for (const Note& note : core.notes)
    if (note.code == code) return true;
  return false;
}

}  // namespace

TEST_CASE("a core's segments carry the names of NT_FILE, and threads their stack pointers") {
  const FileBytes file = bytes_of(make_core(plain));
  const auto core = read_core_file(file);
  REQUIRE(core);
  REQUIRE(core->threads.size() == 1);
  CHECK(core->threads[0].id == 77);
  CHECK(core->threads[0].stack_pointer == Address{0x7ffff800});
  const CoreMemory memory(file, *core);
  const Facts facts = facts_of_core(*core, memory, {}).facts;
  REQUIRE(facts.mappings.size() == 3);
  CHECK(facts.mappings[0].path == "/opt/a b");
  CHECK(facts.mappings[0].offset == 3 * 4096);
  CHECK_FALSE(facts.pages_known);
  const Snapshot snapshot = snapshot_of(*core, memory);
  CHECK(snapshot.regions[0].type == RegionType::MappedFile);
  CHECK_FALSE(snapshot.regions[0].usage.total_ws.known());
}

TEST_CASE("bytes that were not dumped are a hole, not zeros") {
  const FileBytes file = bytes_of(make_core(plain));
  const auto core = read_core_file(file);
  REQUIRE(core);
  const CoreMemory memory(file, *core);
  std::vector<std::byte> buffer(512);
  CHECK(memory.read_some(0x7fff0000, buffer) == std::size_t{256});
  CHECK(buffer[255] == std::byte{0xaa});
  CHECK(memory.read_some(0x7fff0100, buffer) == std::size_t{0});
  CHECK(memory.read_some(0x400000, buffer) == std::size_t{0});
}

TEST_CASE("a core cut off at any byte is an error or has a note") {
  const std::vector<std::byte> whole = make_core(plain);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const FileBytes file = bytes_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    const auto core = read_core_file(file);
    if (!core) continue;
    INFO(size);
    CHECK_FALSE(core->notes.empty());
    snapshot_of(*core, CoreMemory(file, *core));
  }
}

TEST_CASE("overlapping, wrapping and impossibly large segments leave a lawful snapshot") {
  const std::vector<Load> hostile{{6, 0x1000, 16, 0x5000},
                                  {6, 0x2000, 16, 0x2000},
                                  {6, 0x10000, 0, ~std::uint64_t{0} - 0x10000},
                                  {6, 0xffffffffffff0000, 0, 0x20000}};
  const FileBytes file = bytes_of(make_core(hostile));
  const auto core = read_core_file(file);
  REQUIRE(core);
  CHECK(has_note(*core, "core_segments_bad"));
  CHECK(has_note(*core, "core_overlaps"));
  snapshot_of(*core, CoreMemory(file, *core));
}

TEST_CASE("an ELF program is no core") {
  std::vector<std::byte> bytes = make_core(plain);
  bytes[16] = std::byte{3};
  const auto core = read_core_file(bytes_of(bytes));
  REQUIRE_FALSE(core);
  CHECK(core.error().code == ErrorCode::Unsupported);
}
