// Minidumps built byte by byte: each stream, whole and broken.
#include <algorithm>
#include <catch2/catch.hpp>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/source/minidump/minidump_facts.h"
#include "libvmscan/source/minidump/minidump_memory.h"
#include "tests/support/dump_writer.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

bool has_note(const std::vector<Note>& notes, const std::string& code) {
  return std::any_of(notes.begin(), notes.end(), [&](const Note& note) { return note.code == code; });
}

/// The reader's result; the laws hold for the snapshot of whatever it reads.
Result<MinidumpFile> read(const ByteList& bytes) {
  const FileBytes file = bytes_of(bytes);
  auto dump = read_minidump_file(file);
  if (!dump) return dump;
  const MinidumpMemory memory(file, *dump);
  CollectOptions options;
  options.file_root = "/nonexistent";
  CHECK(broken_laws(build_snapshot(facts_of_minidump(*dump, memory, options))) == std::vector<std::string>{});
  return dump;
}

MinidumpFile good(const DumpWriter& writer) {
  auto dump = read(writer.finish());
  REQUIRE(dump);
  return std::move(*dump);
}

DumpWriter windows_writer() {
  DumpWriter writer;
  writer.stream(7, system_info(9, 2, 0));
  return writer;
}

constexpr std::uint32_t commit = 0x1000, own = 0x20000;

}  // namespace

TEST_CASE("what is no minidump is refused, and so is one that ends before its streams") {
  const ByteList whole = windows_dump();
  ByteList other = whole;
  other[4] = std::byte{0x94};
  CHECK(read(other).error().code == ErrorCode::Malformed);
  CHECK(read({whole.begin(), whole.begin() + 31}).error().code == ErrorCode::Truncated);
  CHECK(read({whole.begin(), whole.begin() + 40}).error().code == ErrorCode::Truncated);
  CHECK(read(DumpWriter().finish()).error().code == ErrorCode::Malformed);
}

TEST_CASE("the header tells the time, MiscInfo the process, SystemInfo the machine") {
  const auto dump = read(windows_dump());
  REQUIRE(dump);
  CHECK(dump->notes.empty());
  CHECK(dump->written_at_unix_ms == 1763740800000);
  CHECK(dump->target.pid == 4711U);
  CHECK(dump->target.started_at_unix_ms == 1763740000000);
  CHECK(dump->target.system == "windows");
  CHECK(dump->target.machine == "x86_64");
  CHECK(dump->target.pointer_bits == 64U);
  CHECK(dump->target.kernel == "10.0.19045");
}

TEST_CASE("modules have names in UTF-16 and the identity of their symbols") {
  const auto dump = read(windows_dump());
  REQUIRE(dump);
  REQUIRE(dump->modules.size() == 1);
  CHECK(dump->modules[0].path == "C:\\Programs\\\u00fcber \U0001f600.exe");
  CHECK(dump->modules[0].build_id ==
        "1122334455667788"
        "0102030405060708"
        "a");
  const auto linux = read(linux_dump());
  REQUIRE(linux);
  REQUIRE(linux->modules.size() == 1);
  CHECK(linux->modules[0].build_id == "aabbccddeeff");
}

TEST_CASE("threads have stack pointers and names; a fault is about the context of its exception") {
  const auto dump = read(windows_dump());
  REQUIRE(dump);
  REQUIRE(dump->threads.size() == 1);
  CHECK(dump->threads[0].thread.id == 4712);
  CHECK(dump->threads[0].thread.name == "worker");
  CHECK(dump->threads[0].thread.stack_pointer == Address{0x1ff800});
  CHECK(dump->threads[0].stack_bytes == Range{0x1ff800, 0x200000});
  REQUIRE(dump->exception);
  CHECK(dump->exception->code == 0xc0000005);
  CHECK(dump->exception->address == 0x140001234);

  DumpWriter writer = windows_writer();
  const auto before = writer.blob(ByteWriter().put(0x98, 0x5000, 8).put(1231, 0, 1).bytes);
  const auto fault = writer.blob(ByteWriter().put(0x98, 0x6000, 8).put(1231, 0, 1).bytes);
  writer.stream(3,
                counted({thread_record({2, 0, 0, 0, 0, 1232, before}), thread_record({1, 0, 0, 0, 0, 0x90, before})}));
  writer.stream(6, ByteWriter().u32(2).zeros(156).u32(1232).u32(fault).bytes);
  const MinidumpFile two = good(writer);
  REQUIRE(two.threads.size() == 2);
  CHECK_FALSE(two.threads[0].thread.stack_pointer);  // its context is too short
  CHECK(two.threads[1].thread.stack_pointer == Address{0x6000});
}

TEST_CASE("a thread whose context is invalid has no stack pointer") {
  DumpWriter writer = windows_writer();
  const auto context = writer.blob(ByteWriter().put(0x98, 0x5000, 8).put(1231, 0, 1).bytes);
  writer.stream(3, counted({thread_record({7, 0, 0, 0, 0, 1232, context})}));
  writer.stream(17, ByteWriter().u32(12).u32(64).u32(1).u32(7).u32(0x10).zeros(56).bytes);
  CHECK_FALSE(good(writer).threads.at(0).thread.stack_pointer);
}

TEST_CASE("a list may have its records padded to eight bytes") {
  const auto dump = read(linux_dump());
  REQUIRE(dump);
  CHECK(dump->notes.empty());
  REQUIRE(dump->memory.size() == 1);
  CHECK(dump->memory[0].range == Range{0x7f0000008000, 0x7f0000009000});
  REQUIRE(dump->threads.size() == 1);
  CHECK(dump->threads[0].thread.id == 100);
}

TEST_CASE("records of MemoryInfoList may be larger than those that are known, and so may its header") {
  DumpWriter writer = windows_writer();
  writer.stream(16, memory_info({{0, 0, 0x10000, 0x10000, 1, 0}, {0x10000, 0x10000, 0x1000, commit, 4, own}}, 32, 64));
  const MinidumpFile dump = good(writer);
  CHECK(dump.notes.empty());
  REQUIRE(dump.memory_info.size() == 2);
  CHECK(dump.memory_info[1].range == Range{0x10000, 0x11000});
  CHECK(dump.memory_info[1].kind == AllocationKind::Private);
}

TEST_CASE("records of MemoryInfoList that are smaller than the known ones are not read") {
  DumpWriter writer = windows_writer();
  ByteList list = memory_info({{0x10000, 0x10000, 0x1000, commit, 4, own}});
  list[4] = std::byte{40};
  writer.stream(16, list);
  const MinidumpFile dump = good(writer);
  CHECK_FALSE(dump.has_memory_info);
  CHECK(has_note(dump.notes, "minidump_records_broken"));
}

TEST_CASE("a count that is larger than the stream leaves the records that are there") {
  for (const unsigned at : {0U, 8U}) {
    DumpWriter writer = windows_writer();
    ByteWriter list;
    if (at == 0) {
      list.append(counted({memory_record(0x5000, 4, writer.blob({4, std::byte{1}}))}));
    } else {
      list.append(memory_info({{0x10000, 0x10000, 0x1000, commit, 4, own}}));
    }
    list.put(at, 0xffffffff, 4);
    writer.stream(at == 0 ? 5 : 16, list.bytes);
    const MinidumpFile dump = good(writer);
    CHECK(has_note(dump.notes, "minidump_records_broken"));
    CHECK(dump.memory.size() + dump.memory_info.size() == 1);
    CHECK_FALSE(dump.memory_info_whole);
  }
}

TEST_CASE("ranges that wrap around, are empty or in no known state are left out, with a note") {
  DumpWriter writer = windows_writer();
  writer.stream(16, memory_info({{0x10000, 0x10000, 0x1000, commit, 4, own},
                                 {0xfffffffffffff000, 0, 0x2000, commit, 4, own},
                                 {0x20000, 0x20000, 0, commit, 4, own},
                                 {0x30000, 0x30000, 0x1000, 0x77, 4, own}}));
  writer.stream(5, counted({memory_record(0xfffffffffffffff0, 0x20, 0)}));
  writer.stream(4, counted({module_record(0xffffffffffff0000, 0x20000, 0)}));
  const MinidumpFile dump = good(writer);
  CHECK(dump.memory_info.size() == 1);
  CHECK(dump.memory.empty());
  CHECK(dump.modules.empty());
  CHECK(std::count_if(dump.notes.begin(), dump.notes.end(),
                      [](const Note& note) { return note.code == "minidump_records_broken"; }) == 3);
}

TEST_CASE("pieces of memory that overlap are cut, with a note; the bytes that stay are the right ones") {
  DumpWriter writer = windows_writer();
  const auto ones = writer.blob(ByteWriter().fill(16, 1).bytes), twos = writer.blob(ByteWriter().fill(16, 2).bytes);
  writer.stream(5, counted({memory_record(0x1008, 16, twos), memory_record(0x1000, 16, ones)}));
  const FileBytes file = bytes_of(writer.finish());
  const auto dump = read_minidump_file(file);
  REQUIRE(dump);
  CHECK(has_note(dump->notes, "minidump_overlaps"));
  std::vector<std::byte> bytes(24);
  CHECK(MinidumpMemory(file, *dump).read_whole(0x1000, bytes));
  CHECK(bytes[15] == std::byte{1});
  CHECK(bytes[16] == std::byte{2});
  CHECK(MinidumpMemory(file, *dump).read_some(0x1018, bytes) == std::size_t{0});
}

TEST_CASE("the pieces of Memory64List lie one behind the other, from an offset beyond 4 GiB on, too") {
  DumpWriter writer = windows_writer();
  const auto base = writer.blob(ByteWriter().fill(8, 1).fill(8, 2).bytes);
  writer.stream(9, ByteWriter().u64(2).u64(base).u64(0x9000).u64(8).u64(0x5000).u64(8).bytes);
  const FileBytes file = bytes_of(writer.finish());
  const auto dump = read_minidump_file(file);
  REQUIRE(dump);
  CHECK(dump->full_memory);
  std::vector<std::byte> bytes(8);
  CHECK(MinidumpMemory(file, *dump).read_whole(0x5000, bytes));
  CHECK(bytes[0] == std::byte{2});

  // A sparse file: the bytes behind the list are what a function says.
  DumpWriter far = windows_writer();
  const std::uint64_t beyond = std::uint64_t{5} << 30;
  far.stream(9, ByteWriter().u64(1).u64(beyond).u64(0x7000).u64(16).bytes);
  const ByteList head = far.finish();
  const FileBytes large{.size = beyond + 8, .read = [&](std::uint64_t offset, std::span<std::byte> buffer) {
                          const FileBytes begin = bytes_of(head);
                          if (offset < head.size()) return begin.read(offset, buffer);
                          const auto count =
                              static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), beyond + 8 - offset));
                          std::fill_n(buffer.begin(), count, std::byte{9});
                          return count;
                        }};
  const auto wide = read_minidump_file(large);
  REQUIRE(wide);
  CHECK(has_note(wide->notes, "minidump_truncated"));  // 8 of 16 bytes
  CHECK(MinidumpMemory(large, *wide).read_some(0x7000, bytes) == std::size_t{8});
  CHECK(bytes[7] == std::byte{9});
  CHECK(MinidumpMemory(large, *wide).read_some(0x7008, bytes) == std::size_t{0});
}

TEST_CASE("sizes in Memory64List that add up beyond 2^64 do not lead back to its beginning") {
  DumpWriter writer = windows_writer();
  ByteWriter list;
  list.u64(3).u64(400).u64(0x1000).u64(0xfffffffffffff000 - 0x1000).u64(0).u64(0xfffffffffffffff0).u64(0x10).u64(0x10);
  writer.stream(9, list.bytes);
  const MinidumpFile dump = good(writer);
  CHECK(has_note(dump.notes, "minidump_truncated"));
}

TEST_CASE("of streams that are there twice the first counts; unknown and unused ones are passed over") {
  DumpWriter writer = windows_writer();
  writer.stream(15, ByteWriter().u32(24).u32(1).u32(11).zeros(12).bytes);
  writer.entry(0, 0, 0);
  writer.stream(0xfff0, ByteWriter().fill(40, 0xff).bytes);
  writer.stream(15, ByteWriter().u32(24).u32(1).u32(22).zeros(12).bytes);
  const MinidumpFile dump = good(writer);
  CHECK(dump.target.pid == 11U);
  REQUIRE(dump.notes.size() == 1);
  CHECK(dump.notes[0].code == "minidump_stream_twice");
}

TEST_CASE("a stream that lies beyond the end of the file is cut off, and the rest stands") {
  DumpWriter writer = windows_writer();
  writer.entry(4, 1000, 0xfffffff0);
  writer.entry(3, 0xffffffff, 40);
  writer.stream(15, ByteWriter().u32(24).u32(1).u32(11).zeros(12).bytes);
  const MinidumpFile dump = good(writer);
  CHECK(dump.target.pid == 11U);
  CHECK(has_note(dump.notes, "minidump_stream_cut_off"));
}

TEST_CASE("names that are missing are counted; a lone surrogate is replaced") {
  DumpWriter writer = windows_writer();
  const auto lone = writer.string(u"a\xd800z");
  writer.stream(4, counted({module_record(0x10000, 0x1000, lone), module_record(0x20000, 0x1000, 0xfffffff0)}));
  const MinidumpFile dump = good(writer);
  REQUIRE(dump.modules.size() == 2);
  CHECK(dump.modules[0].path == "a\ufffdz");
  CHECK(dump.modules[1].path.empty());
  CHECK(has_note(dump.notes, "minidump_texts_missing"));
}

TEST_CASE("many modules with one long name do not take more memory than the file justifies") {
  DumpWriter writer = windows_writer();
  const auto name = writer.string(std::u16string(30000, u'x'));
  std::vector<ByteList> records;
  for (std::uint64_t i = 0; i < 2000; ++i) records.push_back(module_record(0x10000 + i * 0x1000, 0x1000, name));
  writer.stream(4, counted(records));
  const ByteList bytes = writer.finish();
  const auto dump = read(bytes);
  REQUIRE(dump);
  std::size_t all = 0;
  for (const LoadedModule& module : dump->modules) all += module.path.size();
  CHECK(dump->modules.size() == 2000);
  CHECK(all <= 2 * bytes.size() + 65536);
  CHECK(has_note(dump->notes, "minidump_texts_missing"));
}

TEST_CASE("32-bit addresses may have their sign extended") {
  DumpWriter writer;
  writer.stream(7, system_info(0, 2, 0));
  const auto context = writer.blob(ByteWriter().put(0xc4, 0x80001000, 4).put(715, 0, 1).bytes);
  writer.stream(3, counted({thread_record({1, 0xffffffff90000000, 0, 0, 0, 716, context})}));
  writer.stream(4, counted({module_record(0xffffffff80400000, 0x1000, 0)}));
  const MinidumpFile dump = good(writer);
  CHECK(dump.target.pointer_bits == 32U);
  CHECK(dump.threads.at(0).teb == 0x90000000);
  CHECK(dump.threads.at(0).thread.stack_pointer == Address{0x80001000});
  CHECK(dump.modules.at(0).range == Range{0x80400000, 0x80401000});
}

TEST_CASE("a minidump cut off at any byte is an error or has a note") {
  for (const ByteList& whole : {windows_dump(), linux_dump()}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto dump = read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
      if (!dump) continue;
      INFO(size);
      CHECK_FALSE(dump->notes.empty());
    }
  }
}
