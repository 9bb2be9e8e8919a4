#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/owners/find_owners.h"
#include "tests/support/fake_allocators.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

HeapReport walk(FakeMemory& memory, const HeapOptions& options = {}) {
  auto report = walk_heaps(memory.facts(), memory, options);
  REQUIRE(report);
  for (const HeapTotals& heap : report->heaps)
    CHECK(heap.live.bytes + heap.cached.bytes + heap.free.bytes + heap.overhead + heap.unread == heap.size);
  return *report;
}

const HeapTotals& heap_named(const HeapReport& report, std::string_view name) {
  for (const HeapTotals& heap : report.heaps)
    if (heap.name == name) return heap;
  FAIL("no heap " << name);
  return report.heaps.front();
}

std::vector<Range> parts(FakeMemory& memory, std::string_view details) {
  find_heap_parts(memory.facts(), memory, 0);
  std::vector<Range> ranges;
  for (const HeapPart& part : memory.facts().heaps)
    if (part.details == details) ranges.push_back(part.range);
  return ranges;
}

}  // namespace

TEST_CASE("jemalloc: slabs, large blocks and extents that nobody uses") {
  FakeMemory memory;
  FakeJemalloc jemalloc(memory);
  const Address slab = jemalloc.extent(1, 8, 0, true, 2, 0b101);  // 32 blocks of 128 bytes
  jemalloc.extent(3, 7, 0, true, 0, 0);                           // 109 of 112: more than one word of bits
  jemalloc.extent(8, 35, 0, false);                               // 16 KiB of 32
  jemalloc.extent(4, 232, 1, false);
  jemalloc.extent(16, 232, 3, false);
  HeapOptions options;
  options.list_request = 128;
  const HeapReport report = walk(memory, options);
  const HeapTotals& arena = heap_named(report, "jemalloc arena 0");
  CHECK(arena.size == 0x20000);
  CHECK(arena.live.blocks == 30 + 109 + 1);
  CHECK(arena.live.bytes == 30 * 128 + 109 * 112 + 14336);
  CHECK(arena.free.bytes == 2 * 128 + 20 * 0x1000);
  CHECK(heap_named(report, "jemalloc metadata").overhead == FakeJemalloc::metadata_bytes);
  REQUIRE(report.blocks.size() == 32);
  CHECK(report.blocks[0].address == slab);
  CHECK(report.blocks[0].state == BlockState::Free);
  CHECK(report.blocks[1].state == BlockState::Live);
  CHECK(report.blocks[2].state == BlockState::Free);
  CHECK(parts(memory, "jemalloc") == std::vector<Range>{{FakeJemalloc::extents, FakeJemalloc::extents + 0x20000}});
  CHECK(parts(memory, "jemalloc metadata") ==
        std::vector<Range>{{FakeJemalloc::base, FakeJemalloc::base + FakeJemalloc::metadata_bytes}});
}

TEST_CASE("jemalloc: of what is in RAM only in part, each block counts with its bytes there") {
  FakeMemory memory;
  FakeJemalloc jemalloc(memory);
  const Address slab = jemalloc.extent(3, 7, 0, true);  // 109 blocks of 112 bytes
  const Address unused = jemalloc.extent(2, 232, 1, false);
  const Address large = jemalloc.extent(8, 35, 0, false);  // 14 KiB of 32
  REQUIRE(unused == slab + 0x3000);
  memory.facts().pages_known = true;
  std::vector<Range> there{{FakeJemalloc::data, FakeJemalloc::data + 0x1000},
                           {FakeJemalloc::base, FakeJemalloc::base + FakeJemalloc::metadata_bytes},
                           {FakeJemalloc::edatas, FakeJemalloc::edatas + 0x1000},
                           {slab, slab + 0x1000},
                           {slab + 0x2000, slab + 0x4000},
                           {large, large + 0x4000}};
  std::sort(there.begin(), there.end(), [](Range a, Range b) { return a.begin < b.begin; });
  for (const Range& range : there) memory.facts().pages.append(range, page::present);
  const auto residency = heap_named(walk(memory), "jemalloc arena 0").residency;
  REQUIRE(residency);
  CHECK(residency->in_ram.live == 0x2000 - 80 + 14336);
  CHECK(residency->in_ram.free == 0x1000);
  CHECK(residency->in_ram.overhead == 80 + 0x4000 - 14336);
  CHECK(residency->in_ram.sum() == 0x7000);
  CHECK(residency->swapped.sum() == 0);
}

TEST_CASE("jemalloc: blocks that a thread caches are not live") {
  FakeMemory memory;
  FakeJemalloc jemalloc(memory);
  const Address slab = jemalloc.extent(1, 8, 0, true);
  jemalloc.extent(1, 8, 0, true);
  const std::vector<Address> cached{slab + 128, slab + 256, slab + 128, 0x4141414141414141};
  jemalloc.cache(8, cached);
  const HeapReport report = walk(memory);
  CHECK(heap_named(report, "jemalloc arena 0").cached.blocks == 2);
  CHECK(heap_named(report, "jemalloc arena 0").live.blocks == 62);
  REQUIRE(report.sizes.size() == 1);
  CHECK(report.sizes[0].allocator == "jemalloc");
  CHECK(report.sizes[0].least_request == 113);
  CHECK(report.sizes[0].cached.blocks == 2);
}

TEST_CASE("jemalloc: built for addresses of 57 bits, its tree has three levels") {
  FakeMemory memory;
  FakeJemalloc jemalloc(memory, true);
  jemalloc.extent(1, 8, 0, true, 2, 0b101);  // 32 blocks of 128 bytes
  jemalloc.extent(8, 35, 0, false);          // 16 KiB of 32
  jemalloc.extent(16, 232, 3, false);
  SECTION("as it is") {
    const HeapReport report = walk(memory);
    CHECK(heap_named(report, "jemalloc arena 0").live.blocks == 30 + 1);
    CHECK(heap_named(report, "jemalloc metadata").overhead == FakeJemalloc::metadata_bytes);
    CHECK(parts(memory, "jemalloc") == std::vector<Range>{{FakeJemalloc::extents, FakeJemalloc::extents + 0x19000}});
  }
  SECTION("a node that has the leaf in another place") {
    memory.put_word(FakeJemalloc::leaf + (FakeJemalloc::extents >> 27) * 8, 0);
    memory.put_word(FakeJemalloc::leaf, FakeJemalloc::tall_leaf);
    CHECK(walk(memory).heaps.empty());
  }
}

TEST_CASE("jemalloc: caches that no arena leads to are found among the variables of their threads") {
  FakeMemory memory;
  FakeJemalloc jemalloc(memory);
  const Address slab = jemalloc.extent(1, 8, 0, true);
  jemalloc.extent(1, 8, 0, true);
  const std::vector<Address> cached{slab + 128, slab + 256};
  jemalloc.cache(8, cached, false);
  CHECK(heap_named(walk(memory), "jemalloc arena 0").cached.blocks == 2);
  memory.put_word(FakeJemalloc::thread + 0x400, 0);  // nothing points back
  CHECK(heap_named(walk(memory), "jemalloc arena 0").cached.blocks == 0);
}

TEST_CASE("jemalloc: a tree that does not close is none") {
  FakeMemory memory;
  FakeJemalloc jemalloc(memory);
  jemalloc.extent(1, 8, 0, true);
  jemalloc.extent(1, 8, 0, true);
  SECTION("another address in the extents") {
    memory.put_word(FakeJemalloc::edatas + 8, FakeJemalloc::extents + 0x9000);
    memory.put_word(FakeJemalloc::edatas + 128 + 8, FakeJemalloc::extents + 0xa000);
  }
  SECTION("bitmaps that say something else") {
    memory.put_word(FakeJemalloc::edatas + 64, 7);
    memory.put_word(FakeJemalloc::edatas + 128 + 64, 7);
  }
  SECTION("sizes that cannot be") {
    memory.put_word(FakeJemalloc::edatas + 16, std::uint64_t{1} << 63);
    memory.put_word(FakeJemalloc::edatas + 128 + 16, 0);
  }
  CHECK(walk(memory).heaps.empty());
  CHECK(parts(memory, "jemalloc").empty());
}

TEST_CASE("mimalloc: pages of blocks of one size, and slices that nobody has") {
  FakeMemory memory;
  FakeMimalloc mimalloc(memory);
  const Address small = mimalloc.page(1, 64, 1018, 100, 90);
  const Address large = mimalloc.page(40, 40 * 0x10000, 1, 1, 1);
  mimalloc.finish();
  memory.put_word(mimalloc.place(1) + 16, small + 64 * 3);  // free: two blocks
  memory.put_word(small + 64 * 3, small + 64 * 7);
  memory.put_word(mimalloc.place(1) + 40, (small + 64 * 5) | 1);  // another thread freed one
  HeapOptions options;
  options.list_address = small + 64 * 5 + 1;
  const HeapReport report = walk(memory, options);
  const HeapTotals& heap = heap_named(report, "mimalloc");
  CHECK(heap.size == 32 << 20);
  CHECK(heap.live.blocks == 89 + 1);
  CHECK(heap.live.bytes == 89 * 64 + 40 * 0x10000);
  CHECK(heap.cached.blocks == 1);
  CHECK(heap.free.bytes == (1018 - 90) * 64 + (512 - 42) * 0x10000);
  REQUIRE(report.blocks.size() == 1);
  CHECK(report.blocks[0].address == small + 64 * 5);
  CHECK(report.blocks[0].state == BlockState::Cached);
  options.list_address = large + 5;
  CHECK(walk(memory, options).blocks[0].state == BlockState::Live);
  CHECK(parts(memory, "mimalloc") == std::vector<Range>{{FakeMimalloc::segment, FakeMimalloc::segment + (32 << 20)}});
}

TEST_CASE("mimalloc: a segment without its cookie, or whose slices do not lead to its end, is none") {
  FakeMemory memory;
  FakeMimalloc mimalloc(memory);
  mimalloc.page(1, 64, 1018, 100, 90);
  mimalloc.finish();
  REQUIRE(walk(memory).heaps.size() == 1);
  SECTION("no key") { memory.put_word(FakeMimalloc::data + 0x80, FakeMimalloc::key + 2); }
  SECTION("another number of slices") { memory.put(mimalloc.place(2), 509, 4); }
  SECTION("more blocks in use than there are") { memory.put(mimalloc.place(1) + 24, 101, 4); }
  SECTION("blocks beyond the page") { memory.put(mimalloc.place(1) + 12, 0xffff, 2); }
  CHECK(walk(memory).heaps.empty());
}

TEST_CASE("mallocng: slots that live, slots that hold groups, and blocks that begin later") {
  FakeMemory memory;
  FakeMallocng musl(memory);
  const Address outer = musl.group(7, 15, 0b1000000, 0b0100000, 1);  // slots of 496 bytes
  const Address slot = outer + 16 + 496;                             // its second holds a group
  memory.put(slot - 3, 1 | 6 << 5, 1);
  memory.put(slot - 2, 31, 2);
  musl.group(9, 2, 0b111, 0, 0, slot);  // of 9 slots of 48 bytes
  musl.group(1, 63, 0, 0, 5);
  memory.put(outer + 16 + 2 * 496 - 3, 7 << 5, 1);  // the third slot's block begins 3 units later
  memory.put(outer + 16 + 2 * 496 - 2, 3, 2);
  HeapOptions options;
  options.list_request = 490;
  const HeapReport report = walk(memory, options);
  const HeapTotals& heap = heap_named(report, "mallocng");
  CHECK(heap.size == 6 * 0x1000);
  CHECK(heap.live.blocks == 4 + 6 + 1);
  CHECK(heap.live.bytes == 4 * 496 + 6 * 48 + 5 * 0x1000 - 16);
  CHECK(heap.free.blocks == 2 + 3);
  CHECK(heap.broken == 0);
  REQUIRE(report.blocks.size() == 6);
  CHECK(report.blocks[1].address == outer + 16 + 2 * 496 + 48);
  CHECK(heap_named(report, "mallocng metadata").size == 0x1000);
  CHECK(parts(memory, "mallocng") == std::vector<Range>{{FakeMallocng::groups, FakeMallocng::groups + 0x6000}});
}

TEST_CASE("mallocng: without the secret there is none; groups that contradict themselves are left out") {
  FakeMemory memory;
  FakeMallocng musl(memory);
  const Address group = musl.group(7, 15, 0, 0, 1);
  musl.group(7, 15, 0, 0, 1);
  SECTION("an area with another number") {
    memory.put_word(FakeMallocng::area, 1);
    CHECK(walk(memory).heaps.empty());
  }
  SECTION("a group that belongs to another") {
    memory.put_word(group, FakeMallocng::area + 0x800);
    const HeapReport report = walk(memory);
    CHECK(heap_named(report, "mallocng").broken == 1);
    CHECK(heap_named(report, "mallocng").live.blocks == 7);
  }
}

TEST_CASE("tcmalloc: spans of blocks, large blocks, free spans, caches") {
  FakeMemory memory;
  FakeTcmalloc tcmalloc(memory);
  tcmalloc.span(1, 3, 100);  // of 256 blocks of 32 bytes
  tcmalloc.span(2, 18, 60);  // of 60 of 272
  tcmalloc.span(40, 0, 1);   // 320 KiB
  tcmalloc.span(10, 0, 0, 1);
  tcmalloc.span(20, 0, 0, 2);
  tcmalloc.cache(3, 30);
  const HeapReport report = walk(memory);
  const HeapTotals& heap = heap_named(report, "tcmalloc");
  CHECK(heap.size == 73 * 0x2000);
  CHECK(heap.live.blocks == 70 + 60 + 1);
  CHECK(heap.cached.blocks == 30);
  CHECK(heap.free.bytes == 156 * 32 + 30 * 0x2000);
  CHECK(heap.overhead == 2 * 0x2000 - 60 * 272);
  CHECK(parts(memory, "tcmalloc") == std::vector<Range>{{FakeTcmalloc::spans, FakeTcmalloc::spans + 73 * 0x2000}});
}

TEST_CASE("mimalloc 3: its arenas are known, and what is in them is unread") {
  using F = FakeMimalloc3;
  FakeMemory memory;
  const F mimalloc(memory);
  SECTION("as it is") {
    const HeapReport report = walk(memory);
    CHECK(heap_named(report, "mimalloc 3").unread == F::bytes);
    CHECK(parts(memory, "mimalloc") == std::vector<Range>{{F::arena, F::arena + F::bytes}});
  }
  SECTION("another number of slices") {
    memory.put_word(F::arena + 40, 17);
    CHECK(parts(memory, "mimalloc").empty());
  }
  SECTION("a subprocess that does not point back") {
    memory.put_word(F::arena + 24, F::data - 0x10000);
    CHECK(walk(memory).heaps.empty());
  }
  SECTION("more than there is") {
    memory.put_word(F::arena + 8, 4 * F::bytes);
    memory.put_word(F::arena + 40, 4 * F::bytes >> 16);
    CHECK(walk(memory).heaps.empty());
  }
}

TEST_CASE("several allocators in one process are all shown") {
  FakeMemory memory;
  FakeJemalloc jemalloc(memory);
  FakeMimalloc mimalloc(memory);
  FakeTcmalloc tcmalloc(memory);
  for (int i = 0; i < 4; ++i) jemalloc.extent(1, 8, 0, true);
  for (int i = 0; i < 4; ++i) tcmalloc.span(1, 3, 10);
  mimalloc.page(1, 128, 500, 400, 300);
  mimalloc.finish();
  std::vector<std::string> names;
  for (const HeapTotals& heap : walk(memory).heaps) names.push_back(heap.name);
  CHECK(names ==
        std::vector<std::string>{"jemalloc arena 0", "jemalloc metadata", "mimalloc", "tcmalloc", "tcmalloc metadata"});
}

TEST_CASE("memory of random bytes belongs to no allocator, and looking at it ends") {
  FakeMemory memory;
  memory.map(0x10000000, 4 << 20, "/lib/libjemalloc.so.2");
  memory.map(0x40000000, 8 << 20);
  std::mt19937_64 random(7);
  const bool pointers = GENERATE(true, false);
  for (const Range range : {Range{0x10000000, 0x10400000}, Range{0x40000000, 0x40800000}})
    for (Address at = range.begin; at < range.end; at += 64)
      memory.put_word(at, pointers ? 0x40000000 + random() % (8 << 20) / 128 * 128 : random());
  CHECK(walk(memory).heaps.empty());
  CHECK(memory.reads() < 2'000'000);
}
