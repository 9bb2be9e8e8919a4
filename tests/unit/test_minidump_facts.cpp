// What is concluded from minidumps: with a whole map, with the files of /proc, and with neither.
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

Snapshot snapshot_of(const ByteList& bytes) {
  const FileBytes file = bytes_of(bytes);
  const auto dump = read_minidump_file(file);
  REQUIRE(dump);
  const MinidumpMemory memory(file, *dump);
  CollectOptions options;
  options.file_root = "/nonexistent";
  Snapshot snapshot = build_snapshot(facts_of_minidump(*dump, memory, options));
  CHECK(broken_laws(snapshot) == std::vector<std::string>{});
  return snapshot;
}

const Region& region_at(const Snapshot& snapshot, Address address) {
  for (const Region& region : snapshot.regions)
    if (region.range.contains(address)) return region;
  FAIL("no region at " << std::hex << address);
  return snapshot.regions.front();
}

std::vector<std::string> protections(const Region& region) {
  std::vector<std::string> all;
  for (const Block& block : region.blocks) all.push_back(block.protection ? to_string(*block.protection) : "");
  return all;
}

std::string note(const Snapshot& snapshot, const std::string& code) {
  for (const Note& each : snapshot.notes)
    if (each.code == code) return each.message;
  return {};
}

}  // namespace

TEST_CASE("MemoryInfoList is the whole picture: regions are allocations") {
  const Snapshot snapshot = snapshot_of(windows_dump());
  std::vector<std::pair<Address, RegionType>> found;
  for (const Region& region : snapshot.regions) found.emplace_back(region.range.begin, region.type);
  using enum RegionType;
  CHECK(found == std::vector<std::pair<Address, RegionType>>{{0, Unusable},
                                                             {0x10000, PrivateData},
                                                             {0x14000, Unusable},
                                                             {0x100000, Stack},
                                                             {0x200000, Shareable},
                                                             {0x208000, Unusable},
                                                             {0x300000, Heap},
                                                             {0x310000, Heap},
                                                             {0x311000, Unusable},
                                                             {0x7fe000, PrivateData},
                                                             {0x801000, Unusable},
                                                             {0x140000000, Image},
                                                             {0x140003000, Unusable}});
  CHECK(snapshot.target.kind == TargetKind::Minidump);
  CHECK(snapshot.target.name == "\u00fcber \U0001f600.exe");
  CHECK(snapshot.address_space == Range{0, 0x7fffffff0000});
  const Summary summary = summarize(snapshot);
  const std::uint64_t used = 0x20000 + 0x100000 + 0x10000 + 0x20000 + 0x12000 + 0x10000;  // with what is unusable
  CHECK(summary.rows[static_cast<std::size_t>(Free)].size == Bytes{0x7fffffff0000 - used});
  CHECK_FALSE(summary.total.usage.total_ws.known());
  CHECK(note(snapshot, "minidump_exception") ==
        "exception 0xc0000005 (access violation) in thread 4712 at address 0x140001234");
}

TEST_CASE("a stack has its reserved part, its guard and its thread") {
  const Snapshot snapshot = snapshot_of(windows_dump());
  const Region& stack = region_at(snapshot, 0x1ff000);
  CHECK(stack.range == Range{0x100000, 0x200000});
  CHECK(stack.details == "Thread ID: 4712 (worker)");
  CHECK(protections(stack) == std::vector<std::string>{"", "Read/Write/Guard", "Read/Write"});
  CHECK(stack.blocks[0].state == State::Reserved);
  CHECK(stack.blocks[1].details == "Guard");
  CHECK(stack.usage.committed == Bytes{0x5000});
  CHECK(stack.usage.private_bytes == Bytes{0x5000});
}

TEST_CASE("heaps are those that the PEB lists, and segments that name one of them") {
  const Snapshot snapshot = snapshot_of(windows_dump());
  CHECK(region_at(snapshot, 0x300000).details == "Heap ID: 1");
  CHECK(region_at(snapshot, 0x300000).evidence == "the PEB lists a heap here");
  CHECK(region_at(snapshot, 0x310000).details == "Heap ID: 1");
  CHECK(region_at(snapshot, 0x310000).evidence == "holds the signature 0xffeeffee");
  CHECK(region_at(snapshot, 0x300000).usage.committed == Bytes{0x1000});
  CHECK(region_at(snapshot, 0x7fe000).details == "Thread Environment Block ID: 4712; Process Environment Block");
}

TEST_CASE("blocks of an image carry the names of its sections") {
  const Snapshot snapshot = snapshot_of(windows_dump());
  const Region& image = region_at(snapshot, 0x140000000);
  CHECK(image.rule == "image_memory");
  CHECK(image.details == "C:\\Programs\\\u00fcber \U0001f600.exe");
  REQUIRE(image.blocks.size() == 3);
  CHECK(image.blocks[0].details == "Header");
  CHECK(image.blocks[1].details == ".text");
  CHECK(image.blocks[2].details == ".data");
  CHECK(protections(image) == std::vector<std::string>{"Read", "Execute/Read", "Copy on write"});
  CHECK(image.usage.private_bytes == Bytes{0x1000});
}

TEST_CASE("without a whole MemoryInfoList it is unknown what is free") {
  DumpWriter writer;
  writer.stream(7, system_info(9, 2, 0));
  writer.stream(16, memory_info({{0x10000, 0x10000, 0x1000, 0x1000, 4, 0x20000},
                                 {0x50000, 0x50000, 0x1000, 0x1000, 4, 0x20000}}));
  const Snapshot snapshot = snapshot_of(writer.finish());
  CHECK(snapshot.regions.size() == 2);
  CHECK_FALSE(snapshot.address_space);
  CHECK_FALSE(note(snapshot, "minidump_free_unknown").empty());
}

TEST_CASE("records of MemoryInfoList that overlap are cut, with a note") {
  DumpWriter writer;
  writer.stream(7, system_info(9, 2, 0));
  writer.stream(16, memory_info({{0, 0, 0x10000, 0x10000, 1, 0},
                                 {0x10000, 0x10000, 0x5000, 0x1000, 4, 0x20000},
                                 {0x12000, 0x12000, 0x9000, 0x1000, 2, 0x40000}}));
  const Snapshot snapshot = snapshot_of(writer.finish());
  CHECK(region_at(snapshot, 0x14fff).range == Range{0x10000, 0x15000});
  CHECK(region_at(snapshot, 0x15000).range == Range{0x15000, 0x1b000});
  CHECK_FALSE(note(snapshot, "overlapping_allocations").empty());
}

TEST_CASE("the files of /proc in a dump make it the picture that Linux shows") {
  const Snapshot snapshot = snapshot_of(linux_dump());
  CHECK(snapshot.target.name == "worker");
  CHECK(snapshot.target.pid == 99U);
  CHECK(snapshot.target.parent_pid == 1U);
  CHECK(snapshot.target.executable == "/opt/a b");
  CHECK(snapshot.target.arguments == std::vector<std::string>{"--fast"});
  CHECK(snapshot.target.kernel == "6.1.0-18-amd64");
  CHECK(snapshot.kernel.rss == Bytes{12 << 10});
  const Region& image = region_at(snapshot, 0x401000);
  CHECK(image.type == RegionType::Image);
  CHECK(image.range == Range{0x400000, 0x402000});  // a map's end is its first address that is not mapped
  CHECK(region_at(snapshot, 0x402000).type == RegionType::Heap);
  CHECK(region_at(snapshot, 0x403000).range == Range{0x403000, 0x404000});  // touches the heap and is none
  const Region& stack = region_at(snapshot, 0x7f0000002000);
  CHECK(stack.type == RegionType::Stack);
  CHECK(stack.details == "Thread ID: 100");
  CHECK(region_at(snapshot, 0x7ffd00020000).rule == "main_stack");
  CHECK_FALSE(stack.usage.total_ws.known());
}

TEST_CASE("where LinuxMaps and MemoryInfoList are both there, a note says which tells what") {
  DumpWriter writer;
  writer.stream(7, system_info(9, 0x8201, 0));
  writer.stream(0x47670009, ByteWriter()
                                .text("1000-2000 r--p 00000000 fe:00 1 /a\n"
                                      "2000-3000 rw-p 00000000 00:00 0 \n")
                                .bytes);
  writer.stream(16, memory_info({{0x1000, 0x1000, 0x1000, 0x1000, 2, 0x40000},
                                 {0x2000, 0x2000, 0x1000, 0x1000, 0x20, 0x20000},
                                 {0x9000, 0x9000, 0x1000, 0x1000, 4, 0x20000}}));
  const Snapshot snapshot = snapshot_of(writer.finish());
  CHECK(snapshot.regions.size() == 2);
  CHECK(note(snapshot, "minidump_map_sources").find("1 records agree with it, 1 tell something else and 1 are") !=
        std::string::npos);
}

TEST_CASE("a LinuxMaps that is cut off or has bad lines does not make the rest free") {
  DumpWriter writer;
  writer.stream(7, system_info(9, 0x8201, 0));
  writer.stream(0x47670009, ByteWriter().text("1000-2000 r--p 00000000 fe:00 1 /a\n2000-3000 rw-").bytes);
  const Snapshot snapshot = snapshot_of(writer.finish());
  CHECK(snapshot.regions.size() == 1);
  CHECK_FALSE(snapshot.address_space);
  CHECK_FALSE(note(snapshot, "bad_mapping_line").empty());
}

TEST_CASE("without a map, modules, stacks and dumped memory prove what they prove") {
  DumpWriter writer;
  writer.stream(7, system_info(9, 2, 0));
  const auto bytes = writer.blob(ByteWriter().append(pe_headers()).fill(0x3000, 0x11).bytes);
  writer.stream(4, counted({module_record(0x140000000, 0x4000, 0)}));
  writer.stream(3, counted({thread_record({5, 0, 0x20f000, 0x800, bytes, 0, 0})}));
  writer.stream(5, counted({memory_record(0x140000000, 0x1000, bytes), memory_record(0x20f000, 0x800, bytes),
                            memory_record(0x20f900, 0x100, bytes), memory_record(0x300010, 0x20, bytes),
                            memory_record(0x301000, 0x10, bytes), memory_record(0x310000, 0x10, bytes)}));
  const Snapshot snapshot = snapshot_of(writer.finish());
  std::vector<std::string> found;
  for (const Region& region : snapshot.regions) found.push_back(region.rule);
  CHECK(found == std::vector<std::string>{"thread_stack", "dumped_memory", "dumped_memory", "listed_module"});
  CHECK(region_at(snapshot, 0x20f000).range == Range{0x20f000, 0x210000});
  CHECK(region_at(snapshot, 0x300000).range == Range{0x300000, 0x302000});
  CHECK_FALSE(region_at(snapshot, 0x300000).usage.private_bytes.known());
  const Region& image = region_at(snapshot, 0x140000000);
  CHECK(protections(image) == std::vector<std::string>{"Read", "Execute/Read", "Copy on write", ""});
  CHECK(image.usage.committed == Bytes{0x4000});
  CHECK_FALSE(snapshot.address_space);
  CHECK_FALSE(note(snapshot, "minidump_partial_map").empty());
  CHECK_FALSE(note(snapshot, "memory_unexplained").empty());
}

TEST_CASE("a module of Linux without a map may have gaps: what of it is committed is unknown") {
  DumpWriter writer;
  writer.stream(7, system_info(9, 0x8201, 0));
  writer.stream(4, counted({module_record(0x7f0000000000, 0x4100, writer.string(u"libx.so"))}));
  const Snapshot snapshot = snapshot_of(writer.finish());
  const Region& image = region_at(snapshot, 0x7f0000000000);
  CHECK(image.range.size() == 0x5000);
  CHECK_FALSE(image.usage.committed.known());
  CHECK(snapshot.target.name == "libx.so");
}
