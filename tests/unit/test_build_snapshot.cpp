#include <catch2/catch.hpp>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "tests/support/facts_text.h"

using namespace vmscan;

namespace {

Snapshot build(std::string_view text) {
  Snapshot snapshot = build_snapshot(tests::facts_from_text(text));
  CHECK(broken_laws(snapshot) == std::vector<std::string>{});
  const Snapshot sums = build_snapshot(tests::facts_from_text(text), Wanted::Sums);
  CHECK(sums.regions.empty());
  CHECK(summarize(sums).rows == summarize(snapshot).rows);
  CHECK(summarize(sums).total == summarize(snapshot).total);
  return snapshot;
}

std::vector<std::string_view> rules_of(const Snapshot& snapshot) {
  std::vector<std::string_view> rules;
  for (const Region& region : snapshot.regions) rules.push_back(region.rule);
  return rules;
}

using Rules = std::vector<std::string_view>;

constexpr std::string_view library_headers =
    "elf fe:00 12\n"
    "segment 0 0 1000 1000 r\n"
    "segment 1000 1000 1000 1000 rx\n"
    "segment 2000 2000 1000 3000 rw\n"
    "relro 2000-2800\n";

}  // namespace

TEST_CASE("two mappings that touch are two regions when their files differ") {
  const Snapshot snapshot = build(
      "1000-2000 r--p 00000000 fe:00 1 /a\n"
      "2000-3000 r--p 00000000 fe:00 2 /b\n"
      "3000-4000 r--p 00001000 fe:00 2 /b\n");
  REQUIRE(rules_of(snapshot) == Rules{"mapped_file", "mapped_file"});
  CHECK(snapshot.regions[1].range == Range{0x2000, 0x4000});
}

TEST_CASE("mappings that overlap are cut, with a note") {
  const Snapshot snapshot =
      build("1000-3000 rw-p 0 00:00 0 [heap]\n2000-5000 r--p 0 fe:00 2 /b\n2000-2000 r--p 0 fe:00 2 /b\n");
  REQUIRE(snapshot.regions.size() == 2);
  CHECK(snapshot.regions[0].range == Range{0x1000, 0x3000});
  CHECK(snapshot.regions[1].range == Range{0x3000, 0x5000});
  REQUIRE(snapshot.notes.size() == 1);
  CHECK(snapshot.notes[0].code == "overlapping_mappings");
}

TEST_CASE("the .bss is cut out of an anonymous mapping that goes on behind it") {
  const Snapshot snapshot = build(std::string(library_headers) +
                                  "11000-12000 r-xp 00001000 fe:00 12 /lib.so\n"
                                  "12000-13000 rw-p 00002000 fe:00 12 /lib.so\n"
                                  "13000-18000 rw-p 00000000 00:00 0 \n"
                                  "smaps 3000 0\n"
                                  "pages 13000-14000 px\n"
                                  "pages 16000-18000 px\n");
  REQUIRE(rules_of(snapshot) == Rules{"elf_load", "private_anonymous"});
  const Region &image = snapshot.regions[0], &rest = snapshot.regions[1];
  CHECK(image.range == Range{0x11000, 0x15000});
  CHECK(image.blocks.back().details == ".bss");
  CHECK(rest.range == Range{0x15000, 0x18000});
  // The columns of smaps are shared out by what each part has in RAM, and add up.
  CHECK(image.blocks.back().usage.pss == Bytes{0x1000});
  CHECK(rest.usage.pss == Bytes{0x2000});
  CHECK(image.usage.total_ws + rest.usage.total_ws == Bytes{0x3000});
  CHECK(snapshot.notes.back().code == "smaps_apportioned");
}

TEST_CASE("a file that is loaded twice is two regions") {
  const Snapshot snapshot = build(std::string(library_headers) +
                                  "10000-11000 r--p 00000000 fe:00 12 /lib.so\n"
                                  "11000-12000 r-xp 00001000 fe:00 12 /lib.so\n"
                                  "12000-13000 rw-p 00002000 fe:00 12 /lib.so\n"
                                  "13000-15000 rw-p 00000000 00:00 0 \n"
                                  "15000-16000 r--p 00000000 fe:00 12 /lib.so\n"
                                  "16000-17000 r-xp 00001000 fe:00 12 /lib.so\n"
                                  "17000-18000 rw-p 00002000 fe:00 12 /lib.so\n"
                                  "18000-1a000 rw-p 00000000 00:00 0 \n");
  REQUIRE(rules_of(snapshot) == Rules{"elf_load", "elf_load"});
  CHECK(snapshot.regions[0].range == Range{0x10000, 0x15000});
  CHECK(snapshot.regions[1].range == Range{0x15000, 0x1a000});
}

TEST_CASE("the gap between two segments is part of the image, also where ld.so left the file mapped") {
  const Snapshot snapshot = build(
      "elf fe:00 332560\n"
      "segment 0 0 46c4 46c4 r-x\n"
      "segment 204de0 4de0 308 310 rw-\n"
      "7f3a19200000-7f3a19205000 r-xp 00000000 fe:00 332560 /usr/lib/libXdmcp.so.6.0.0\n"
      "7f3a19205000-7f3a19404000 ---p 00005000 fe:00 332560 /usr/lib/libXdmcp.so.6.0.0\n"
      "7f3a19404000-7f3a19405000 r--p 00004000 fe:00 332560 /usr/lib/libXdmcp.so.6.0.0\n"
      "7f3a19405000-7f3a19406000 rw-p 00005000 fe:00 332560 /usr/lib/libXdmcp.so.6.0.0\n");
  REQUIRE(rules_of(snapshot) == Rules{"elf_load"});
  CHECK(snapshot.regions[0].range == Range{0x7f3a19200000, 0x7f3a19406000});
  CHECK(snapshot.regions[0].blocks[1].details == "gap");
}

TEST_CASE("a library that is mapped whole and read-only is a mapped file") {
  const Snapshot snapshot = build(std::string(library_headers) + "10000-13000 r--p 00000000 fe:00 12 /lib.so\n");
  CHECK(rules_of(snapshot) == Rules{"mapped_file"});
}

TEST_CASE("RELRO pages that became anonymous are private, although they may not be written") {
  const Snapshot snapshot = build(std::string(library_headers) +
                                  "10000-11000 r--p 00000000 fe:00 12 /lib.so\n"
                                  "11000-12000 r-xp 00001000 fe:00 12 /lib.so\n"
                                  "12000-13000 r--p 00002000 fe:00 12 /lib.so\n"
                                  "pages 10000-11000 pfx\n"
                                  "pages 12000-13000 px\n");
  REQUIRE(rules_of(snapshot) == Rules{"elf_load"});
  CHECK(snapshot.regions[0].usage.private_bytes == Bytes{0x1000});
  CHECK(snapshot.regions[0].usage.private_ws == Bytes{0x1000});
  CHECK(snapshot.regions[0].usage.shareable_ws == Bytes{0x1000});
}

TEST_CASE("what only covers the place where brk would begin is no heap, although the kernel calls it so") {
  constexpr std::string_view text = "10000-20000 ---p 0 00:00 0 [heap]\n20000-21000 rw-p 0 00:00 0 [heap]\n";
  CHECK(rules_of(build(text)) == Rules{"brk_heap"});
  CHECK(rules_of(build("brk 10000\n" + std::string(text))) == Rules{"brk_heap"});
  CHECK(rules_of(build("brk 18000\n10000-20000 ---p 0 00:00 0 [heap]\n")) == Rules{"private_anonymous"});
  CHECK(rules_of(build("brk 18000\n10000-20000 rw-p 0 00:00 0 [heap]\n")) == Rules{"brk_heap"});
}

TEST_CASE("what a core holds of a mapping that is cut is not counted for each part of it") {
  Facts facts = tests::facts_from_text("10000-50000 r--p 00000000 00:00 0 \n50000-60000 ---p 00000000 00:00 0 \n");
  facts.pages_known = false;
  facts.mappings[0].own_data = 0x40000;
  facts.mappings[1].own_data = 0x1000;
  RuntimePart part;
  part.range = {0x20000, 0x58000};
  part.details = "V8 old space";
  facts.runtimes.push_back(part);
  const Snapshot snapshot = build_snapshot(std::move(facts));
  CHECK(broken_laws(snapshot).empty());
  REQUIRE(rules_of(snapshot) == Rules{"private_anonymous", "runtime_structure", "private_anonymous"});
  CHECK(snapshot.regions[0].usage.private_bytes == Bytes{0x10000});
  CHECK(snapshot.regions[1].blocks[0].usage.private_bytes == Bytes{0x30000});
  CHECK_FALSE(snapshot.regions[1].blocks[1].usage.private_bytes.known());
}

TEST_CASE("an arena with its reserved tail up to the next boundary is a heap") {
  constexpr std::string_view arena =
      "10000-11000 r-xp 00000000 fe:00 12 /usr/lib/libc.so.6\n"
      "7f0004000000-7f0004021000 rw-p 00000000 00:00 0 \n";
  const Snapshot snapshot = build(std::string(arena) + "7f0004021000-7f0008000000 ---p 00000000 00:00 0 \n");
  REQUIRE(rules_of(snapshot) == Rules{"executable_file", "arena_shape"});
  CHECK(snapshot.regions[1].range.size() == std::uint64_t{64} << 20);
  CHECK(snapshot.regions[1].usage.committed == Bytes{0x21000});
  CHECK(rules_of(build(std::string(arena) + "7f0004021000-7f0007fff000 ---p 00000000 00:00 0 \n")) ==
        Rules{"executable_file", "private_anonymous"});
}

TEST_CASE("a thread's stack has its guard and its label") {
  const Snapshot snapshot = build(
      "thread 7 7f0000802f00\n"
      "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
      "7f0000001000-7f0000803000 rw-p 00000000 00:00 0 \n");
  REQUIRE(rules_of(snapshot) == Rules{"thread_stack_pointer"});
  CHECK(snapshot.regions[0].details == "Thread ID: 7");
  REQUIRE(snapshot.regions[0].blocks.size() == 2);
  CHECK(snapshot.regions[0].blocks[0].details == "Guard");
  CHECK(snapshot.regions[0].blocks[0].state == State::Reserved);
}

TEST_CASE("stacks in one mapping come apart where the C library's list says") {
  const Snapshot snapshot = build(
      "thread 7 0\nthread 8 0\n"
      "stack 7f0000000000-7f0000010000 1000 7\n"
      "stack 7f0000010000-7f0000020000 0 8\n"
      "stack 7f0000020000-7f0000030000 0 0\n"
      "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
      "7f0000001000-7f0000038000 rw-p 00000000 00:00 0 \n");
  REQUIRE(rules_of(snapshot) == Rules{"thread_list", "thread_list", "kept_stack", "private_anonymous"});
  CHECK(snapshot.regions[0].details == "Thread ID: 7");
  CHECK(snapshot.regions[0].blocks[0].details == "Guard");
  CHECK(snapshot.regions[1].range == Range{0x7f0000010000, 0x7f0000020000});
  CHECK(snapshot.regions[2].details == "kept for the next thread");
}

TEST_CASE("a stack within other memory takes the pages of which it has the larger part") {
  const Snapshot snapshot = build(
      "thread 7 0\nstack 100010-102f00 0 7\n"
      "100000-108000 rw-p 00000000 00:00 0 [heap]\n");
  REQUIRE(rules_of(snapshot) == Rules{"thread_list", "brk_heap"});
  CHECK(snapshot.regions[0].range == Range{0x100000, 0x103000});
}

TEST_CASE("what only looks like a stack is a guess, and only while a thread has none") {
  constexpr std::string_view shape =
      "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
      "7f0000001000-7f0000801000 rw-p 00000000 00:00 0 \n"
      "pages 7f0000800000-7f0000801000 px\n";
  Facts facts = tests::facts_from_text(shape);
  facts.threads.push_back({.id = 2, .name = {}, .stack_pointer = {}});
  CHECK(rules_of(build_snapshot(facts)) == Rules{"stack_shape"});
  facts.threads[0].stack_pointer = 0x1000;
  CHECK(rules_of(build_snapshot(facts)) == Rules{"private_anonymous"});
}

TEST_CASE("memory without access is reserved, and committed where it was used before") {
  const Snapshot snapshot = build("1000-9000 ---p 00000000 00:00 0 \npages 1000-3000 px\npages 3000-4000 s\n");
  REQUIRE(snapshot.regions.size() == 1);
  const Usage& usage = snapshot.regions[0].usage;
  CHECK(snapshot.regions[0].blocks[0].state == State::Reserved);
  CHECK(usage.committed == Bytes{0x3000});
  CHECK(usage.private_bytes == Bytes{0x3000});
  CHECK(usage.total_ws == Bytes{0x2000});
  CHECK(usage.swap == Bytes{0x1000});
}

TEST_CASE("pages that cannot be read are unknown, not 0") {
  Facts facts = tests::facts_from_text("1000-3000 rw-p 00000000 00:00 0 \n3000-4000 ---p 00000000 00:00 0 [x]\n");
  facts.pages_known = false;
  const Snapshot snapshot = build_snapshot(std::move(facts));
  REQUIRE(snapshot.regions.size() == 2);
  CHECK(snapshot.regions[0].usage.committed == Bytes{0x2000});
  CHECK_FALSE(snapshot.regions[0].usage.total_ws.known());
  CHECK_FALSE(snapshot.regions[1].usage.committed.known());
}

TEST_CASE("the guard gap below the main stack and the lowest addresses are unusable") {
  const Snapshot snapshot = build(
      "space 0-7ffffffff000\nlowest 10000\ngap 100000\n"
      "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]\n");
  REQUIRE(rules_of(snapshot) == Rules{"below_mmap_min_addr", "stack_guard_gap", "main_stack"});
  CHECK(snapshot.regions[0].range == Range{0, 0x10000});
  CHECK(snapshot.regions[1].range == Range{0x7ffcfff00000, 0x7ffd00000000});
}
