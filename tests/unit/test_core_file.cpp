// ELF cores built byte by byte: whole, in another order, cut off at every byte, and hostile.
#include <algorithm>
#include <catch2/catch.hpp>
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

constexpr std::uint64_t read_only = 4, read_write = 6, no_access = 0;
constexpr std::size_t x86_64_stack_pointer = 19, i386_stack_pointer = 15, aarch64_stack_pointer = 31;

std::vector<std::byte> filled(std::size_t size, unsigned value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

/// A file that was not dumped, a guard, and a stack of which the first 256 bytes were.
CoreBuilder plain() {
  CoreBuilder core;
  core.load(read_only, 0x400000, 0x2000).load(no_access, 0x60000000, 0x1000);
  core.load(read_write, 0x7fff0000, 0x10000, filled(256, 0xaa));
  core.files({{0x400000, 0x402000, 3, "/opt/a b"}});
  core.process(77, "plain", "plain --with words").thread(77, 0x7ffff800, x86_64_stack_pointer);
  core.signal(11, 1, 0xdead0000).auxiliary({{6, 4096}, {25, 0x7ffffff0}});
  return core;
}

CoreFile read(const std::vector<std::byte>& bytes) {
  auto core = read_core_file(bytes_of(bytes));
  REQUIRE(core);
  return std::move(*core);
}

Snapshot snapshot_of(const std::vector<std::byte>& bytes) {
  const CoreFile core = read(bytes);
  Snapshot snapshot = build_snapshot(facts_of_core(core, CoreMemory(bytes_of(bytes), core), {}).facts);
  CHECK(broken_laws(snapshot).empty());
  return snapshot;
}

bool has_note(const std::vector<Note>& notes, const std::string& code) {
  return std::any_of(notes.begin(), notes.end(), [&](const Note& note) { return note.code == code; });
}

/// "begin-end type" of all regions.
std::string map_of(const Snapshot& snapshot) {
  std::string text;
  for (const Region& region : snapshot.regions)
    text += std::to_string(region.range.begin) + "-" + std::to_string(region.range.end) + " " +
            std::string(name_of(region.type)) + "\n";
  return text;
}

}  // namespace

TEST_CASE("a core's segments carry the names of NT_FILE, and threads their stack pointers") {
  const std::vector<std::byte> bytes = plain().build();
  const CoreFile core = read(bytes);
  CHECK(core.notes.empty());
  REQUIRE(core.threads.size() == 1);
  CHECK(core.threads[0].id == 77);
  CHECK(core.threads[0].stack_pointer == Address{0x7ffff800});
  REQUIRE(core.process);
  CHECK(core.process->pid == 77);
  CHECK(core.process->parent_pid == 1);
  CHECK(core.process->user_id == 1000);
  REQUIRE(core.signal);
  CHECK(core.signal->number == 11);
  CHECK(core.signal->address == Address{0xdead0000});
  const Facts facts = facts_of_core(core, CoreMemory(bytes_of(bytes), core), {}).facts;
  REQUIRE(facts.mappings.size() == 3);
  CHECK(facts.mappings[0].path == "/opt/a b");
  CHECK(facts.mappings[0].offset == 3 * 4096);
  CHECK(std::any_of(facts.notes.begin(), facts.notes.end(),
                    [](const Note& note) { return note.message == "ended by SIGSEGV at address 0xdead0000"; }));
  CHECK(facts.target.arguments == std::vector<std::string>{"--with", "words"});
  CHECK_FALSE(facts.pages_known);
}

TEST_CASE("what a core cannot tell is unknown, and the total is still a sum") {
  const Snapshot snapshot = snapshot_of(plain().build());
  REQUIRE(snapshot.regions.size() == 4);  // with the gap that the kernel keeps below the stack
  CHECK(snapshot.regions[0].type == RegionType::MappedFile);
  CHECK(snapshot.regions.back().rule == "initial_stack");
  CHECK_FALSE(snapshot.regions[0].usage.total_ws.known());
  const Summary summary = summarize(snapshot);
  CHECK_FALSE(summary.rows[static_cast<std::size_t>(RegionType::PageTable)].has_row());
  CHECK(summary.total.usage.committed == Bytes{0x2000 + 0x10000});
  CHECK_FALSE(summary.total.usage.total_ws.known());
}

TEST_CASE("32-bit cores have their own structures") {
  CoreBuilder core(32, 3);
  core.load(read_only, 0x8048000, 0x1000).load(read_write, 0xbf000000, 0x8000, filled(64, 1));
  core.files({{0x8048000, 0x8049000, 2, "/bin/old"}}).process(9, "old", "old");
  core.thread(9, 0xbf001000, i386_stack_pointer).signal(6, -6, 0).auxiliary({{25, 0xbf004000}});
  const std::vector<std::byte> bytes = core.build();
  const CoreFile file = read(bytes);
  CHECK(file.pointer_bits == 32);
  REQUIRE(file.threads.size() == 1);
  CHECK(file.threads[0].id == 9);
  CHECK(file.threads[0].stack_pointer == Address{0xbf001000});
  REQUIRE(file.process);
  CHECK(file.process->user_id == 1000);
  CHECK(file.process->pid == 9);
  CHECK(file.process->name == "old");
  REQUIRE(file.files.size() == 1);
  CHECK(file.files[0].offset == 2 * 4096);
  REQUIRE(file.signal);
  CHECK_FALSE(file.signal->address.has_value());
  CHECK(snapshot_of(bytes).regions.back().rule == "initial_stack");
}

TEST_CASE("every machine keeps its stack pointer elsewhere; of an unknown one it is unknown") {
  const auto stack_pointer = [](unsigned machine, std::size_t index) {
    return read(CoreBuilder(64, machine).thread(1, 0x1234000, index).build()).threads.at(0).stack_pointer;
  };
  CHECK(stack_pointer(62, x86_64_stack_pointer) == Address{0x1234000});
  CHECK(stack_pointer(183, aarch64_stack_pointer) == Address{0x1234000});
  CHECK(stack_pointer(243, 2) == Address{0x1234000});
  CHECK_FALSE(stack_pointer(8, 29).has_value());
}

TEST_CASE("more program headers than 16 bits can count") {
  CoreBuilder core;
  for (std::uint64_t i = 0; i < 70'000; ++i)
    core.load(i % 2 == 0 ? read_write : read_only, 0x10000000 + i * 0x2000, 0x1000);
  core.extended_count().thread(5, 0, x86_64_stack_pointer);
  const CoreFile file = read(core.build());
  CHECK(file.segments.size() == 70'000);
  CHECK(file.threads.size() == 1);
  CHECK(file.notes.empty());
  CHECK_FALSE(file.by_debugger);
}

TEST_CASE("sections tell a debugger's core from the kernel's") {
  CHECK(read(plain().sections().build()).by_debugger);
  CHECK_FALSE(read(plain().build()).by_debugger);
}

TEST_CASE("the order of notes and segments does not matter") {
  const Snapshot ordered = snapshot_of(plain().build()), scattered = snapshot_of(plain().scattered().build());
  CHECK(map_of(ordered) == map_of(scattered));
  REQUIRE(scattered.threads.size() == 1);
  CHECK(scattered.threads[0].stack_pointer == Address{0x7ffff800});
  CHECK(scattered.target.name == "plain");
}

TEST_CASE("notes of other owners and types are passed over") {
  CoreBuilder core = plain();
  core.note(1, filled(336, 0xff), "LINUX").note(0x202, filled(13, 1), "LINUX").note(77, filled(3, 1)).note(1, {}, "");
  const CoreFile file = read(core.build());
  CHECK(file.threads.size() == 1);
  CHECK(file.notes.empty());
}

TEST_CASE("bytes that were not dumped are a hole, not zeros") {
  const std::vector<std::byte> bytes = plain().build();
  const CoreFile core = read(bytes);
  const CoreMemory memory(bytes_of(bytes), core);
  std::vector<std::byte> buffer(512);
  CHECK(memory.read_some(0x7fff0000, buffer) == std::size_t{256});
  CHECK(buffer[255] == std::byte{0xaa});
  CHECK(memory.read_some(0x7fff0100, buffer) == std::size_t{0});
  CHECK(memory.read_some(0x400000, buffer) == std::size_t{0});
  const std::vector<Range> all{{0x400000, 0x402000}, {0x7ffef000, 0x80000000}}, inside{{0x7fff0010, 0x7fff0020}};
  CHECK(*memory.present(all) == std::vector<Range>{{0x7fff0000, 0x7fff0100}});
  CHECK(*memory.present(inside) == inside);
}

TEST_CASE("a core cut off at any byte is an error or has a note") {
  for (const bool scattered : {false, true}) {
    const std::vector<std::byte> whole = scattered ? plain().scattered().build() : plain().build();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<std::byte> bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const auto core = read_core_file(bytes_of(bytes));
      if (!core) continue;
      INFO(size);
      CHECK_FALSE(core->notes.empty());
      snapshot_of(bytes);
    }
  }
}

TEST_CASE("of segments that overlap the first keeps its addresses and bytes") {
  CoreBuilder core;
  core.load(read_write, 0x10000, 0x3000, filled(0x3000, 1)).load(read_only, 0x12000, 0x3000, filled(0x3000, 2));
  core.load(read_write, 0x11000, 0x1000, filled(0x1000, 3));
  const std::vector<std::byte> bytes = core.build();
  const CoreFile file = read(bytes);
  CHECK(has_note(file.notes, "core_overlaps"));
  REQUIRE(file.segments.size() == 2);
  CHECK(file.segments[0].range == Range{0x10000, 0x13000});
  CHECK(file.segments[1].range == Range{0x13000, 0x15000});
  const CoreMemory memory(bytes_of(bytes), file);
  std::vector<std::byte> buffer(1);
  for (const auto& [address, value] : {std::pair{0x11000, 1}, {0x12fff, 1}, {0x13000, 2}, {0x14fff, 2}}) {
    REQUIRE(memory.read_some(static_cast<Address>(address), buffer) == std::size_t{1});
    CHECK(std::to_integer<int>(buffer[0]) == value);
  }
}

TEST_CASE("a file is mapped where only NT_FILE tells of it, beside and between segments") {
  CoreBuilder core;
  core.load(read_write, 0x11000, 0x1000).load(read_write, 0x14000, 0x1000);
  core.files({{0x10000, 0x13000, 0, "/one"}, {0x13000, 0x14000, 7, "/two (deleted)"}, {0x20000, 0x21000, 0, "/three"}});
  const std::vector<std::byte> bytes = core.build();
  const CoreFile file = read(bytes);
  const Facts facts = facts_of_core(file, CoreMemory(bytes_of(bytes), file), {}).facts;
  REQUIRE(facts.mappings.size() == 6);
  CHECK(facts.mappings[0].range == Range{0x10000, 0x11000});
  CHECK_FALSE(facts.mappings[0].rights_known);
  CHECK(facts.mappings[1].range == Range{0x11000, 0x12000});
  CHECK(facts.mappings[1].offset == 0x1000);
  CHECK(facts.mappings[1].rights_known);
  CHECK(facts.mappings[2].range == Range{0x12000, 0x13000});
  CHECK(facts.mappings[2].offset == 0x2000);
  CHECK(facts.mappings[3].path == "/two");
  CHECK(facts.mappings[3].deleted);
  CHECK(facts.mappings[4].path.empty());
  CHECK(facts.mappings[5].path == "/three");
  const Snapshot snapshot = snapshot_of(bytes);
  CHECK(has_note(snapshot.notes, "core_rights_unknown"));
  CHECK_FALSE(snapshot.regions[0].blocks[0].protection.has_value());
}

TEST_CASE("wrapping and impossibly large segments leave a lawful snapshot") {
  CoreBuilder core = plain();
  core.load(read_write, 0x10000000000, ~std::uint64_t{0} - 0x10000000000);
  core.load(read_write, 0xffffffffffff0000, 0x20000).load(read_write, 0, ~std::uint64_t{0});
  const std::vector<std::byte> bytes = core.build();
  CHECK(has_note(read(bytes).notes, "core_segments_bad"));
  snapshot_of(bytes);
}

TEST_CASE("notes that lie about their sizes are counted, and the others stand") {
  CoreBuilder core = plain();
  ByteWriter lies;
  lies.number(~std::uint64_t{0} / 4, 8).number(4096, 8).text("", 40);  // so many files in 56 bytes
  core.note(0x46494c45, lies.bytes).note(1, filled(8, 0)).note(3, filled(5, 0));
  const CoreFile file = read(core.build());
  CHECK(has_note(file.notes, "core_notes_broken"));
  CHECK(file.threads.size() == 1);
  CHECK(file.files.size() == 1);
}

TEST_CASE("what is no core is refused") {
  std::vector<std::byte> bytes = plain().build();
  const auto code = [&] { return read_core_file(bytes_of(bytes)).error().code; };
  SECTION("a program") {
    bytes[16] = std::byte{3};
    CHECK(code() == ErrorCode::Unsupported);
  }
  SECTION("big-endian") {
    bytes[5] = std::byte{2};
    CHECK(code() == ErrorCode::Unsupported);
  }
  SECTION("another file") {
    bytes[1] = std::byte{'e'};
    CHECK(code() == ErrorCode::Malformed);
  }
  SECTION("program headers of another size") {
    bytes[54] = std::byte{32};
    CHECK(code() == ErrorCode::Malformed);
  }
}
