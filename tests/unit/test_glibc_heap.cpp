#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/owners/find_owners.h"
#include "tests/support/fake_glibc.h"

using namespace vmscan;
using tests::FakeGlibc;

namespace {

HeapReport walk(FakeGlibc& glibc, const HeapOptions& options = {}) {
  auto report = walk_heaps(glibc.memory.facts(), glibc.memory, options);
  REQUIRE(report);
  for (const HeapTotals& heap : report->heaps)
    CHECK(heap.live.bytes + heap.cached.bytes + heap.free.bytes + heap.overhead + heap.unread == heap.size);
  return *report;
}

std::vector<std::string> codes(const HeapReport& report) {
  std::vector<std::string> codes;
  for (const Note& note : report.notes) codes.push_back(note.code);
  return codes;
}

void add_blocks(FakeGlibc& glibc, std::size_t count, std::uint64_t bytes = 0x40) {
  for (std::size_t i = 0; i < count; ++i) glibc.chunk(bytes);
}

}  // namespace

TEST_CASE("blocks in use and free ones are told apart by the header behind them") {
  FakeGlibc glibc;
  add_blocks(glibc, 3);
  glibc.chunk(0x100);
  glibc.chunk(0x40, 0);  // the one before is free
  glibc.finish();
  const HeapReport report = walk(glibc);
  REQUIRE(report.heaps.size() == 1);
  const HeapTotals& heap = report.heaps[0];
  CHECK(heap.name == "main arena");
  CHECK(heap.live.blocks == 4);
  CHECK(heap.live.bytes == 4 * 0x40);
  CHECK(heap.free.blocks == 2);  // and the top
  CHECK(heap.top == glibc.size - 0x200);
  CHECK(heap.size == glibc.size);
  REQUIRE(report.sizes.size() == 2);
  CHECK(report.sizes[0].size == 0x40);
  CHECK(report.sizes[0].least_request == 41);
  CHECK(report.sizes[0].most_request == 56);
  CHECK(report.sizes[1].free.blocks == 1);
}

TEST_CASE("a main arena is found however many of its bins are in use") {
  FakeGlibc glibc;
  const std::size_t used = GENERATE(1U, 60U, 127U);
  for (std::size_t i = 0; i < used; ++i) {
    const Address bin = FakeGlibc::arena + FakeGlibc::bins + 16 * i, free_chunk = glibc.chunk(0x40);
    glibc.chunk(0x40, 0);
    for (const Address end : {bin, bin + 8}) glibc.memory.put_word(end, free_chunk);
    for (const Address end : {free_chunk + 16, free_chunk + 24}) glibc.memory.put_word(end, bin - 16);
  }
  glibc.finish();
  const HeapReport report = walk(glibc);
  REQUIRE(report.heaps.size() == 1);
  CHECK(report.heaps[0].live.blocks == used);
  CHECK(report.heaps[0].free.blocks == used + 1);
}

TEST_CASE("an array of words that looks like a main arena, but whose bins do not link back, is none") {
  FakeGlibc glibc;
  add_blocks(glibc, 4);
  glibc.finish();
  for (std::size_t i = 0; i < 10; ++i) {
    const Address bin = FakeGlibc::arena + FakeGlibc::bins + 16 * i;
    glibc.memory.put_word(bin, FakeGlibc::heap + 0x40);
    glibc.memory.put_word(bin + 8, FakeGlibc::heap + 0x40);
  }
  CHECK(walk(glibc).heaps.empty());
}

TEST_CASE("what looks like malloc's parameters, but leads into the heap, is passed over") {
  FakeGlibc glibc;
  add_blocks(glibc, 8);
  glibc.finish();
  const Address other = FakeGlibc::data + 0x40;  // before the true ones
  glibc.memory.put_word(other - 16, 8);
  glibc.memory.put(other + 4, 0xfbad, 4);
  glibc.memory.put_word(other + 32, FakeGlibc::heap + 0x100);
  SECTION("the arena tells how many bytes it has") {}
  SECTION("it grew meanwhile") { glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::system_mem, 0x42000); }
  const HeapReport report = walk(glibc);
  REQUIRE(report.heaps.size() == 1);
  CHECK(report.heaps[0].live.blocks == 8);
  CHECK(report.heaps[0].size == glibc.size);
}

TEST_CASE("blocks in a fast bin are cached, not live") {
  FakeGlibc glibc;
  const Address first = glibc.chunk(0x40), second = glibc.chunk(0x40);
  add_blocks(glibc, 2);
  glibc.finish();
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::fastbins + 16, first);
  glibc.link(first + 16, second);
  glibc.link(second + 16, 0);
  HeapOptions options;
  options.list_request = 56;
  const HeapReport report = walk(glibc, options);
  CHECK(report.heaps[0].live.blocks == 2);
  CHECK(report.heaps[0].cached.blocks == 2);
  REQUIRE(report.blocks.size() == 4);
  CHECK(report.blocks[0].address == first + 16);
  CHECK(report.blocks[0].state == BlockState::Cached);
  CHECK(report.blocks[2].state == BlockState::Live);
}

TEST_CASE("the blocks of a thread cache are cached, with and without safe linking") {
  const bool safe = GENERATE(true, false);
  FakeGlibc glibc;
  const Address cache = glibc.chunk(0x290);
  const Address first = glibc.chunk(0x40), second = glibc.chunk(0x40);
  add_blocks(glibc, 3);
  glibc.finish();
  glibc.memory.put(cache + 16 + 2 * 2, 2, 2);                   // counts[2]: of 0x40 bytes
  glibc.memory.put_word(cache + 16 + 128 + 8 * 2, first + 16);  // entries[2]
  if (safe) {
    glibc.link(first + 16, second + 16);
    glibc.link(second + 16, 0);
  } else {
    glibc.memory.put_word(first + 16, second + 16);
    glibc.memory.put_word(second + 16, 0);
  }
  const HeapReport report = walk(glibc);
  CHECK(report.heaps[0].live.blocks == 3);
  CHECK(report.heaps[0].cached.blocks == 2);
  CHECK(report.heaps[0].overhead == 0x290);
}

TEST_CASE("a block that only has the size of a thread cache stays a live block") {
  FakeGlibc glibc;
  const Address block = glibc.chunk(0x290);
  add_blocks(glibc, 3);
  glibc.finish();
  glibc.memory.put(block + 16 + 4, 3, 2);
  glibc.memory.put_word(block + 16 + 128 + 16, block + 0x1000);
  CHECK(walk(glibc).heaps[0].live.blocks == 4);
}

TEST_CASE("a list that goes round in a circle or out of the heap ends, with a note") {
  FakeGlibc glibc;
  std::vector<Address> chunks;
  for (int i = 0; i < 50; ++i) chunks.push_back(glibc.chunk(0x40));
  glibc.finish();
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::fastbins + 16, chunks[0]);
  for (std::size_t i = 0; i + 1 < chunks.size(); ++i) glibc.link(chunks[i] + 16, chunks[i + 1]);
  glibc.link(chunks.back() + 16, GENERATE(Address{0}, Address{1}, Address{2}) == 0 ? chunks[10] : 0x4141414141414141);
  const HeapReport report = walk(glibc);
  CHECK(codes(report) == std::vector<std::string>{"heap_list_broken"});
  CHECK(report.heaps[0].cached.blocks <= 50);
}

TEST_CASE("a header that cannot be right is told with its address, and the walk goes on behind it") {
  const std::uint64_t size = GENERATE(std::uint64_t{0}, std::uint64_t{8}, std::uint64_t{1} << 63, ~std::uint64_t{0},
                                      std::uint64_t{0x4141414141414141});
  FakeGlibc glibc;
  add_blocks(glibc, 100);
  const Address broken = glibc.chunk(0x40);
  add_blocks(glibc, 100);
  glibc.finish();
  glibc.memory.put_word(broken + 8, size);
  const HeapReport report = walk(glibc);
  REQUIRE(codes(report) == std::vector<std::string>{"heap_broken"});
  CHECK(report.notes[0].message.find("0x555555702900") != std::string::npos);
  CHECK(report.heaps[0].live.blocks >= 195);
  CHECK(report.heaps[0].unread <= 0x40);
  CHECK(report.heaps[0].broken >= 1);
}

TEST_CASE(
    "blocks in pages that are swapped out are unread, and the walk goes on behind them, unless all pages are wanted") {
  FakeGlibc glibc;
  for (int i = 0; i < 1000; ++i) glibc.chunk(0x60);
  glibc.finish();
  constexpr Address from = FakeGlibc::heap + 0x4000, to = FakeGlibc::heap + 0x8000;
  Facts& facts = glibc.memory.facts();
  facts.pages_known = true;
  facts.pages.append({FakeGlibc::data, FakeGlibc::data + 0x2000}, page::present | page::exclusive);
  facts.pages.append({FakeGlibc::heap, from}, page::present | page::exclusive);
  facts.pages.append({from, to}, page::swapped);
  facts.pages.append({to, FakeGlibc::heap + glibc.size}, page::present | page::exclusive);
  const auto kind = walk_heaps(facts, glibc.memory, {});
  REQUIRE(kind);
  REQUIRE(kind->heaps.size() == 1);
  const HeapTotals& heap = kind->heaps.front();
  CHECK(heap.unread >= to - from);
  CHECK(heap.unread < to - from + 2 * 0x1000);
  CHECK(heap.live.blocks + heap.unread / 0x60 >= 999);
  CHECK(heap.broken == 0);
  REQUIRE(heap.residency);
  CHECK(heap.residency->swapped.unread == to - from);
  CHECK(kind->left_out_swapped);
  REQUIRE(kind->shortfalls.size() == 1);
  CHECK(kind->shortfalls.front().reason == HeapShortfall::Reason::SwappedOut);
  CHECK(kind->shortfalls.front().bytes == Bytes{to - from});

  facts.all_pages = true;
  const auto whole = walk_heaps(facts, glibc.memory, {});
  REQUIRE(whole);
  CHECK(whole->heaps.front().live.blocks == 1000);
  CHECK(whole->heaps.front().unread == 0);
  CHECK_FALSE(whole->left_out_swapped);
}

TEST_CASE("a heap whose arena is swapped out is not said to be absent") {
  FakeGlibc glibc;
  glibc.chunk(0x60);
  glibc.finish();
  Facts& facts = glibc.memory.facts();
  facts.pages_known = true;
  facts.pages.append({FakeGlibc::data, FakeGlibc::data + 0x2000}, page::swapped);
  facts.pages.append({FakeGlibc::heap, FakeGlibc::heap + glibc.size}, page::present | page::exclusive);
  const auto report = walk_heaps(facts, glibc.memory, {});
  REQUIRE(report);
  CHECK(report->heaps.empty());
  CHECK(report->left_out_swapped);
  find_owners(facts, glibc.memory, 0);
  CHECK(std::ranges::any_of(facts.notes, [](const Note& note) { return note.code == "swapped_unread"; }));
}

TEST_CASE("a heap that has grown since the map was read is walked up to where the map ends") {
  FakeGlibc glibc;
  add_blocks(glibc, 3);
  const Address last = glibc.chunk(0x40000);  // beyond the end of the mapping
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::top, last + 0x40000);
  const HeapReport report = walk(glibc);
  REQUIRE(report.heaps.size() == 1);
  CHECK(report.heaps[0].live.blocks == 3);
  CHECK(report.heaps[0].unread == glibc.size - 3 * 0x40);
  CHECK(codes(report) == std::vector<std::string>{"heap_grew"});
}

TEST_CASE("a heap of random bytes ends in bounded time and sums up") {
  FakeGlibc glibc(0x400000);
  add_blocks(glibc, 10);
  glibc.finish();
  std::mt19937_64 random(7);
  const bool small = GENERATE(true, false);
  for (Address at = FakeGlibc::heap + 0x100; at < FakeGlibc::heap + glibc.size; at += 8)
    glibc.memory.put_word(at, small ? random() % 0x8000 & ~std::uint64_t{14} : random());
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::top, FakeGlibc::heap + 0x20);
  const HeapReport report = walk(glibc);
  CHECK(glibc.memory.reads() < 2'000'000);
}

TEST_CASE("a heap that is walked in stretches has the same blocks, whatever they hold") {
  FakeGlibc glibc(0x400000);
  std::mt19937_64 random(11);
  std::map<std::uint64_t, BlockSum> live;  // by size
  bool in_use = true;                      // the block before
  for (std::uint64_t before = 0, size = 0; glibc.at < FakeGlibc::heap + glibc.size - 0x30000; before = size) {
    if (before != 0 && in_use) live[before].add(before);
    size = 16 * (random() % 200 == 0 ? 0x1000 + random() % 0x1000 : 2 + random() % 40);
    const Address chunk = glibc.chunk(size, in_use ? FakeGlibc::in_use : 0);
    in_use = random() % 4 != 0;
    // What looks like a chain of blocks, here and there.
    for (Address at = chunk + 16; random() % 8 != 0 && at + 32 <= glibc.at; at += 32) glibc.memory.put_word(at + 8, 33);
  }
  glibc.finish(0);  // the last block is free
  HeapOptions options;
  options.stretch_bytes = GENERATE(0x1000U, 0x3210U, 0x10000U, 0x100000U, 0x1000000U);
  const HeapReport report = walk(glibc, options);
  CHECK(report.notes.empty());
  CHECK(report.heaps[0].unread == 0);
  std::map<std::uint64_t, BlockSum> found;
  for (const SizeTotals& size : report.sizes)
    if (size.live.blocks > 0) found[size.size] = size.live;
  CHECK(found == live);
}

TEST_CASE("mapped blocks are found in the middle of a mapping, and only as long as malloc counts any") {
  FakeGlibc glibc;
  add_blocks(glibc, 10);
  glibc.finish();
  constexpr Address mapping = 0x7f0000000000;
  glibc.memory.map(mapping, 0x100000);
  glibc.memory.put_word(mapping + 0x5000 + 8, 0x21000 | 2);
  glibc.memory.put_word(mapping + 0x26000 + 8, 0x30000 | 2);
  glibc.memory.put_word(mapping + 0x60000 + 8, 0x30000 | 3);  // another flag
  glibc.memory.put_word(mapping + 0xf0000 + 8, 0x30000 | 2);  // beyond its mapping
  glibc.memory.put_word(mapping + 0xa0fc0, 0xfc0);            // posix_memalign
  glibc.memory.put_word(mapping + 0xa0fc0 + 8, (0x3000 - 0xfc0) | 2);
  CHECK(walk(glibc).heaps.size() == 1);
  glibc.put_counters(3, 0x21000 + 0x30000 + 0x3000);
  const HeapReport report = walk(glibc);
  REQUIRE(report.heaps.size() == 2);
  CHECK(report.heaps[1].live.blocks == 3);
  CHECK(report.heaps[1].live.bytes == 0x21000 + 0x30000 + 0x3000);
  find_heap_parts(glibc.memory.facts(), glibc.memory, ~std::uint64_t{0});
  REQUIRE(glibc.memory.facts().heaps.size() == 4);
  CHECK(glibc.memory.facts().heaps[3].range == Range{mapping + 0xa0000, mapping + 0xa3000});
}

// mmap_set_chunk() in malloc/malloc.c of 2.43: the size leaves out two words at the end.
TEST_CASE("mapped blocks of glibc 2.43 are found, and nothing of older ones beside them") {
  FakeGlibc glibc;
  add_blocks(glibc, 10);
  glibc.finish();
  constexpr Address mapping = 0x7f0000000000;
  glibc.memory.map(mapping, 0x100000);
  glibc.memory.put_word(mapping + 8, (0x21000 - 16) | 2);
  glibc.memory.put_word(mapping + 0x21000 + 8, (0x3000 - 16) | 2);
  glibc.memory.put_word(mapping + 0x30000 + 8, 0x4000 | 2);  // a size that leaves nothing out
  glibc.memory.put_word(mapping + 0xa0fc0, 0xfc0 | 1);       // posix_memalign, in a huge page
  glibc.memory.put_word(mapping + 0xa0fc0 + 8, (0x3000 - 0xfc0 - 16) | 2);
  glibc.put_counters(4, 0x21000 + 0x3000 + 0x3000);
  const HeapReport report = walk(glibc);
  REQUIRE(report.heaps.size() == 2);
  CHECK(report.heaps[1].live.blocks == 3);
  CHECK(report.heaps[1].live.bytes == 0x21000 + 0x3000 + 0x3000);
}

TEST_CASE("arenas that lead nowhere, or round in a circle, are no arenas") {
  FakeGlibc glibc;
  add_blocks(glibc, 10);
  glibc.finish();
  const Address next = GENERATE(Address{0}, Address{0x4141414141414141}, FakeGlibc::heap + 0x40, ~Address{0});
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::next, next);
  CHECK(walk(glibc).heaps.empty());
}
