#include <catch2/catch.hpp>
#include <random>

#include "libvmscan/breakdown/waterfall.h"
#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/owners/find_owners.h"
#include "tests/support/fake_glibc.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using tests::FakeGlibc;

namespace {

constexpr std::uint64_t page_size = 4096;

Waterfall checked(const Waterfall& waterfall) {
  Bytes sum = 0;
  for (const WaterfallLine& line : waterfall.lines) sum += line.bytes;
  if (waterfall.total.known()) CHECK(sum == waterfall.total);
  return waterfall;
}

const WaterfallLine& line_of(const Waterfall& waterfall, WaterfallPart part) {
  for (const WaterfallLine& line : waterfall.lines)
    if (line.part == part) return line;
  static const WaterfallLine none;
  return none;
}

/// What is in RAM of the fake process: the whole of libc's data, and these pages of the heap.
struct Fake {
  FakeGlibc glibc;
  HeapReport report;
  Snapshot snapshot;

  void in_ram(std::initializer_list<std::pair<unsigned, std::uint8_t>> heap_pages) {
    Facts& facts = glibc.memory.facts();
    facts.pages_known = facts.locked_known = facts.all_pages = true;
    facts.target.page_size = page_size;
    facts.pages.append({FakeGlibc::data, FakeGlibc::data + 2 * page_size}, page::present | page::exclusive);
    for (const auto& [number, condition] : heap_pages) {
      const Address begin = FakeGlibc::heap + number * page_size;
      facts.pages.append({begin, begin + page_size}, condition);
    }
  }
  Waterfall explained() {
    auto walked =
        walk_heaps(glibc.memory.facts(), glibc.memory, {.trim = true, .list_request = {}, .list_address = {}});
    REQUIRE(walked);
    report = *walked;
    find_heap_parts(glibc.memory.facts(), glibc.memory, 0);
    snapshot = build_snapshot(glibc.memory.facts());
    return checked(explain(snapshot, &report));
  }
};

constexpr std::uint8_t present = page::present | page::exclusive, swapped = page::swapped;

}  // namespace

TEST_CASE("a page in RAM counts for each block with the bytes that the block has in it") {
  Fake fake;
  fake.glibc.chunk(0x800);      // page 0
  fake.glibc.chunk(0x1000);     // pages 0 and 1
  fake.glibc.chunk(0x800);      // free, page 1
  fake.glibc.chunk(0x1000, 0);  // page 2, swapped out
  fake.glibc.finish();          // from page 3 on, never touched but its header
  fake.in_ram({{0, present}, {1, present}, {2, swapped}, {3, present}});
  const Waterfall waterfall = fake.explained();
  CHECK(line_of(waterfall, WaterfallPart::HeapLive).bytes == 0x1800);
  CHECK(line_of(waterfall, WaterfallPart::HeapLive).swap == Bytes{0x1000});
  CHECK(line_of(waterfall, WaterfallPart::HeapLive).blocks == Bytes{3});
  CHECK(line_of(waterfall, WaterfallPart::HeapFree).bytes == 0x800 + 0x1000);
  CHECK(line_of(waterfall, WaterfallPart::HeapLive).rules == std::vector<std::string>{"malloc_arena"});
  CHECK(waterfall.total == Bytes{5 * page_size});
  REQUIRE(fake.report.heaps[0].residency);
  CHECK(fake.report.heaps[0].residency->shared_pages == 1);
  CHECK(fake.report.heaps[0].residency->shared_free == 0x800);
  CHECK(fake.report.heaps[0].residency->sharing_blocks == 1);
  CHECK(fake.report.heaps[0].residency->in_ram.sum() == fake.report.heaps[0].in_ram);
}

TEST_CASE("malloc_trim gives back whole pages of free blocks that are in RAM, and the end of the main arena") {
  Fake fake;
  fake.glibc.chunk(0x100);
  fake.glibc.chunk(0x4000);    // free: from 0x100 to 0x4100 of the heap
  fake.glibc.chunk(0x100, 0);  // ends at 0x4200, where the top begins
  fake.glibc.finish();
  fake.in_ram({{0, present}, {1, present}, {3, present}, {4, present}, {5, present}, {6, present}});
  fake.explained();
  // Pages 1 and 3 within the free block (2 is not in RAM, 4 is shared), pages 5 and 6 of the top.
  CHECK(fake.report.heaps[0].residency->trimmable == 4 * page_size);
}

TEST_CASE("a huge page counts when at least half of it is whole free pages") {
  Fake fake;
  FakeGlibc& glibc = fake.glibc;
  glibc.chunk(0x100);
  glibc.chunk(0x4f00);     // free: pages 1 to 4
  glibc.chunk(0x1000, 0);  // page 5, in use
  glibc.chunk(0x2000);     // pages 6 and 7, in use
  glibc.chunk(0x4000);     // free from page 8 on: its first page has its links, 9 to 11
  glibc.chunk(0x1000, 0);  // page 12, in use
  glibc.finish();          // free: page 13 has the header of the top, 14 to 32
  fake.in_ram({{0, present},
               {1, present},
               {2, present},
               {3, present},
               {5, present},
               {6, present},
               {8, present},
               {12, present},
               {13, present}});
  glibc.memory.facts().huge_pages = HugePages{.size = 8 * page_size, .policy = HugePages::Policy::Always, .pages = {}};
  for (unsigned i = 0; i < 3; ++i)
    glibc.memory.facts().huge_pages->pages.push_back(FakeGlibc::heap + i * 8 * page_size);
  fake.explained();
  CHECK(fake.report.huge_page_bytes == 8 * page_size);
  // Pages 0 to 7: 1 to 4 are free. 8 to 15: 9, 10, 11, 14, 15. 16 to 23: all.
  CHECK(fake.report.heaps[0].residency->half_used_pages == 3);
  CHECK(fake.report.heaps[0].residency->half_used_free == (4 + 5 + 8) * page_size);
  glibc.memory.facts().huge_pages->pages = {FakeGlibc::heap + 5 * page_size};  // 5 to 12: 9 to 11 are free
  fake.explained();
  CHECK(fake.report.heaps[0].residency->half_used_pages == 0);
  CHECK(fake.report.heaps[0].residency->half_used_free == 0);
}

TEST_CASE("malloc_trim joins what fast bins hold with the free blocks beside it, but not what thread caches hold") {
  Fake fake;
  FakeGlibc& glibc = fake.glibc;
  glibc.chunk(0x1000);  // free
  const Address fast = glibc.chunk(0x40, 0);
  glibc.chunk(0x1000);  // free: with the two before it from 0 to 0x2040
  glibc.chunk(0x100, 0);
  glibc.finish();
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::fastbins + 16, fast);
  glibc.link(fast + 16, 0);
  fake.in_ram({{0, present}, {1, present}, {2, present}});
  fake.explained();
  CHECK(fake.report.heaps[0].cached.blocks == 1);
  CHECK(fake.report.heaps[0].residency->trimmable == page_size);
}

TEST_CASE("cached blocks and the thread's cache itself leave the live part") {
  Fake fake;
  FakeGlibc& glibc = fake.glibc;
  const Address cached = glibc.chunk(0x40);
  glibc.chunk(0x40);
  glibc.finish();
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::fastbins + 16, cached);
  glibc.link(cached + 16, 0);
  fake.in_ram({{0, present}});
  const Waterfall waterfall = fake.explained();
  CHECK(line_of(waterfall, WaterfallPart::HeapCached).bytes == 0x40);
  CHECK(line_of(waterfall, WaterfallPart::HeapLive).bytes == 0x40);
  CHECK(line_of(waterfall, WaterfallPart::HeapFree).bytes == page_size - 0x80);
}

TEST_CASE("the parts of a heap of random bytes add up to what is in RAM of it") {
  Fake fake;
  FakeGlibc& glibc = fake.glibc;
  for (int i = 0; i < 10; ++i) glibc.chunk(0x40);
  glibc.chunk(0x20000 - 10 * 0x40);
  glibc.finish();
  std::mt19937_64 random(7);
  for (Address at = FakeGlibc::heap + 0x100; at < FakeGlibc::heap + 0x20000; at += 8)
    glibc.memory.put_word(at, random() % 0x800 & ~std::uint64_t{14});
  fake.in_ram({{0, present}, {1, swapped}, {2, present}, {5, present}, {6, swapped}, {7, present}});
  fake.explained();
  CHECK(fake.report.heaps[0].residency->in_ram.sum() == 4 * page_size);
  CHECK(fake.report.heaps[0].residency->swapped.sum() == 2 * page_size);
}

TEST_CASE("without a walk, heaps are one part by their rule; without RAM, committed bytes are split") {
  const Snapshot snapshot = tests::rich_snapshot();
  const Waterfall waterfall = checked(explain(snapshot, nullptr));
  CHECK(waterfall.in_ram);
  CHECK(waterfall.advice.empty());
  Snapshot core = snapshot;
  Usage sum = Usage::zero();
  for (Region& region : core.regions) {
    region.usage.total_ws = region.usage.private_ws = region.usage.shareable_ws = Bytes{};
    sum += region.usage;
  }
  const Waterfall split = checked(explain(core, nullptr));
  CHECK_FALSE(split.in_ram);
  CHECK(split.total == sum.committed);
  core.regions_known = false;
  core.regions.clear();
  CHECK(explain(core, nullptr).lines.empty());
  CHECK_FALSE(explain(core, nullptr).total.known());
}

TEST_CASE("many parts of a managed heap become one line from the twelfth on") {
  Snapshot snapshot;
  for (unsigned i = 0; i < 30; ++i) {
    Region region = tests::region_of(RegionType::ManagedHeap, 0x10000 + i * 0x10000, 0x8000,
                                     tests::usage_of(0x8000, 0x8000, 0x1000 * (i % 8), 0, 0));
    region.details = "part " + std::to_string(i);
    region.rule = "runtime";
    snapshot.regions.push_back(region);
  }
  const Waterfall waterfall = checked(explain(snapshot, nullptr));
  CHECK(waterfall.lines.size() == 12);
  CHECK(waterfall.lines.front().bytes >= waterfall.lines.back().bytes);
}

TEST_CASE("a walk that tells of more than the regions hold is not believed") {
  Fake fake;
  fake.glibc.chunk(0x800);
  fake.glibc.finish();
  fake.in_ram({{0, present}});
  fake.explained();
  fake.report.heaps[0].residency->in_ram.live += 1 << 20;
  const Waterfall waterfall = checked(explain(fake.snapshot, &fake.report));
  CHECK(line_of(waterfall, WaterfallPart::HeapLive).bytes == 0);
  CHECK(line_of(waterfall, WaterfallPart::HeapUnread).bytes == page_size);
}
