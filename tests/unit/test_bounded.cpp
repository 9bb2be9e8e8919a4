// What a file or a target promises is more than there is: work and memory stay within what exists.
#include <algorithm>
#include <catch2/catch.hpp>

#include "formats/vmmap/vmmap_cells.h"
#include "libvmscan/capture/capture.h"
#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/classify/thread_label.h"
#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/memory/target_memory.h"
#include "libvmscan/owners/allocators/allocator.h"
#include "libvmscan/owners/find_owners.h"
#include "libvmscan/source/core.h"
#include "libvmscan/source/elf/core_file.h"
#include "libvmscan/source/elf/core_memory.h"
#include "libvmscan/strings/extents.h"
#include "tests/support/fake_allocators.h"
#include "tests/support/fake_glibc.h"
#include "tests/unit/core_builder.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

constexpr std::uint64_t read_write = 6;

bool has_note(const std::vector<Note>& notes, const std::string& code) {
  return std::any_of(notes.begin(), notes.end(), [&](const Note& note) { return note.code == code; });
}

}  // namespace

TEST_CASE("of a core only what it holds can be read, and searched for strings, however large its segments are") {
  const Address begin = 0x7fff0000;
  const std::vector<std::byte> bytes =
      CoreBuilder().load(read_write, begin, Address{1} << 54, std::vector<std::byte>(0x1800)).build();
  const auto source = open_core(bytes_of(bytes));
  REQUIRE(source);
  const auto facts = capture(**source, {});
  REQUIRE(facts);
  CHECK(has_note(facts->notes, "core_contents_missing"));
  const TargetMemory memory(*facts, *(*source)->memory());
  CHECK(memory.readable({0, ~Address{0}}) == std::vector<Range>{{begin, begin + 0x1800}});
  CHECK(memory.mapped({begin, begin + (Address{1} << 54)}));
  const Snapshot snapshot = build_snapshot(*facts);
  for (const bool all : {false, true}) {
    ExtentChoice choice;
    choice.absent_too = all;
    const auto extents = choose_extents(snapshot, *(*source)->memory(), choice);
    REQUIRE(extents);
    CHECK(extents->bytes() == 0x1800);
    CHECK(extents->absent_bytes == (Address{1} << 54) - 0x1800);
  }
}

TEST_CASE("segments that lead to the same bytes of a core hold them once") {
  std::vector<std::byte> bytes = CoreBuilder()
                                     .load(read_write, 0x10000, 0x4000, std::vector<std::byte>(0x4000))
                                     .load(read_write, 0x20000, 0x4000, std::vector<std::byte>(0x4000))
                                     .build();
  CHECK_FALSE(has_note(read_core_file(bytes_of(bytes))->notes, "core_bytes_repeated"));
  bytes.resize(bytes.size() - 0x4000);
  for (std::size_t i = 0; i < 8; ++i) bytes[64 + 2 * 56 + 8 + i] = bytes[64 + 56 + 8 + i];  // p_offset of the second
  const auto core = read_core_file(bytes_of(bytes));
  REQUIRE(core);
  CHECK(has_note(core->notes, "core_bytes_repeated"));
  std::uint64_t held = 0;
  for (const CoreSegment& segment : core->segments) held += segment.held;
  CHECK(held <= bytes.size());
}

TEST_CASE("structures that lead to the same bytes for ever are not followed for ever") {
  FakeMemory fake;
  fake.map(0x10000, 0x1000);
  fake.facts().target.kind = TargetKind::Core;
  const TargetMemory memory(fake.facts(), fake);
  CHECK_FALSE(memory.exhausted());
  std::size_t read = 0;
  while (memory.word(0x10000) && read < 10'000'000) ++read;
  CHECK(memory.exhausted());
  CHECK(read > 100'000);
  CHECK(read < 10'000'000);
}

TEST_CASE("blocks of a row are looked at where there are bytes of them") {
  const BlockRow row{.begin = 0x1000, .size = 48, .count = std::uint64_t{1} << 40};
  std::vector<std::uint64_t> seen;
  const auto look = [&](std::uint64_t i) { seen.push_back(i); };
  std::uint64_t next = row.look_at({0x1000 + 100, 0x1000 + 200}, 0, look);
  CHECK(seen == std::vector<std::uint64_t>{2, 3, 4});
  next = row.look_at({0x1000 + 200, 0x1000 + 260}, next, look);
  CHECK(seen == std::vector<std::uint64_t>{2, 3, 4, 5});
  CHECK(row.look_at({0, 0x1000}, next, look) == next);
  CHECK(row.block(2) == Range{0x1000 + 96, 0x1000 + 144});
}

TEST_CASE("tcmalloc: a span that says it has more blocks than there is memory takes no time") {
  FakeMemory memory;
  FakeTcmalloc tcmalloc(memory);
  for (int i = 0; i < 6; ++i) tcmalloc.span(1, 3, 100);
  constexpr std::uint64_t pages = std::uint64_t{1} << 28;  // 2 TiB, 64 G blocks
  memory.put_word(FakeTcmalloc::span_structs + 5 * 48 + 8, pages);
  memory.facts().mappings[3].range.end = FakeTcmalloc::spans + (pages + 5) * 0x2000;
  memory.facts().target.kind = TargetKind::Core;
  find_heap_parts(memory.facts(), memory, 0);
  for (const bool listed : {false, true}) {
    HeapOptions options;
    options.types = true;
    if (listed) options.list_request = 30;
    options.most_blocks = 1000;
    const auto report = walk_heaps(memory.facts(), memory, options);
    REQUIRE(report);
    CHECK(report->blocks.size() == (listed ? 1000 : 0));
    CHECK(report->blocks_complete != listed);
    CHECK(report->heaps.size() > 0);
  }
}

TEST_CASE("glibc: a chain is picked up again where there are bytes, not in every page that a heap says it has") {
  FakeGlibc glibc(0x8000);
  for (int i = 0; i < 100; ++i) glibc.chunk(0x50);
  glibc.finish();
  FakeMemory& memory = glibc.memory;
  memory.put_word(FakeGlibc::arena + 0x60, 0x1600000000000000);  // top
  memory.put_word(FakeGlibc::heap + 0x1bf8, 0x86ff00b8);         // the size of a chunk
  memory.facts().mappings.back().range.end = FakeGlibc::heap + (Address{1} << 44);
  Facts& facts = memory.facts();
  facts.target.kind = TargetKind::Core;
  find_heap_parts(facts, memory, 0);
  REQUIRE(walk_heaps(facts, memory, {}));
}

TEST_CASE("a line of nothing but separators has no more cells than any table") {
  CHECK(formats::split_csv(std::string(100'000, ','), ',').cells.size() < 2000);
}

TEST_CASE("of many threads in one place some are named, the others counted") {
  std::string details = "first";
  std::size_t further = 0;
  for (int i = 0; i < 1000; ++i) add_thread(details, further, "x");
  add_unnamed_threads(details, further);
  CHECK(details.size() < 200);
  CHECK_THAT(details, Catch::Matchers::EndsWith(" +969"));
}
