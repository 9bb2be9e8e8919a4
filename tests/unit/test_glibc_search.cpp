#include <algorithm>
#include <catch2/catch.hpp>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/owners/allocators/glibc/glibc_search.h"
#include "libvmscan/owners/find_owners.h"
#include "tests/support/fake_glibc.h"

using namespace vmscan;
using tests::FakeGlibc;

namespace {

constexpr Address place = 0x7f0000000000;
constexpr std::uint64_t piece_bytes = 0x100000;

GlibcHeaps find(FakeGlibc& glibc, GlibcSearchLimits limits = {}) {
  return find_glibc_heaps(TargetMemory(glibc.memory.facts(), glibc.memory), limits);
}

void small_heap(FakeGlibc& glibc) {
  for (int i = 0; i < 10; ++i) glibc.chunk(0x40);
  glibc.finish();
}

/// The header of a block of `bytes` with a mapping of its own.
void put_block(FakeGlibc& glibc, Address at, std::uint64_t bytes) { glibc.memory.put_word(at + 8, bytes | 2); }

/// Two chunks that nobody can get, up to `end`.
void put_fence(FakeGlibc& glibc, Address end) {
  glibc.memory.put_word(end - 24, 0x11);
  glibc.memory.put_word(end - 8, 0x11);
}

/// A piece of the main arena at `at`, full of blocks up to its last 0x20 bytes. No other block begins where a page
/// does.
void put_piece(FakeGlibc& glibc, Address at, std::uint64_t bytes) {
  constexpr std::uint64_t block = 0x1010;
  const Address end = at + bytes - 0x20;
  for (Address chunk = at, size = 0; chunk < end; chunk += size) {
    size = end - chunk < 2 * block ? end - chunk : block;
    glibc.memory.put_word(chunk + 8, size | 1);
  }
  put_fence(glibc, at + bytes);
}

}  // namespace

TEST_CASE("a block is one, however many mappings the kernel shows of it") {
  FakeGlibc glibc;
  small_heap(glibc);
  glibc.put_counters(2, 0x61000);
  glibc.memory.map(place, 0x10000);
  glibc.memory.map(place + 0x10000, 0x1000);
  glibc.memory.facts().mappings.back().write = false;
  glibc.memory.reserve(place + 0x11000, 0x1000);
  glibc.memory.map(place + 0x12000, 0x100000);
  put_block(glibc, place, 0x21000);
  put_block(glibc, place + 0x50000, 0x40000);
  const GlibcHeaps found = find(glibc);
  REQUIRE(found.blocks.size() == 2);
  CHECK(found.blocks[0].range == Range{place, place + 0x21000});
  CHECK(found.blocks[1].range == Range{place + 0x50000, place + 0x90000});
  CHECK(found.not_searched == 0);
  find_heap_parts(glibc.memory.facts(), glibc.memory, 1);
  const Snapshot snapshot = build_snapshot(glibc.memory.facts());
  const auto region =
      std::ranges::find_if(snapshot.regions, [](const Region& each) { return each.range.begin == place; });
  REQUIRE(region != snapshot.regions.end());
  CHECK(region->range == Range{place, place + 0x21000});
  CHECK(region->rule == "malloc_block");
}

TEST_CASE("a block that is larger than all that malloc counts is none") {
  FakeGlibc glibc;
  small_heap(glibc);
  glibc.put_counters(1, 0x21000);
  glibc.memory.map(place, 0x100000);
  put_block(glibc, place, 0x90000);
  put_block(glibc, place + 0xa0000, 0x21000);
  const GlibcHeaps found = find(glibc);
  REQUIRE(found.blocks.size() == 1);
  CHECK(found.blocks[0].range.begin == place + 0xa0000);
}

TEST_CASE("what malloc counts and nothing shows is told as missing") {
  FakeGlibc glibc;
  small_heap(glibc);
  glibc.put_counters(3, 0x90000);
  glibc.memory.map(place, 0x100000);
  put_block(glibc, place, 0x21000);
  const GlibcHeaps found = find(glibc);
  CHECK(found.blocks.size() == 1);
  REQUIRE(found.mapped);
  CHECK(found.mapped->blocks == 3);
  CHECK(found.mapped->bytes == 0x90000);
  CHECK(found.not_searched == 0);
}

TEST_CASE("a search that takes too long ends and tells what it left out") {
  FakeGlibc glibc;
  small_heap(glibc);
  glibc.put_counters(1, 0x21000);
  glibc.memory.map(place, 0x400000);
  put_block(glibc, place + 0x3a0000, 0x21000);
  const GlibcHeaps found = find(glibc, {.time = std::chrono::milliseconds(-1)});
  CHECK(found.blocks.empty());
  CHECK(found.not_searched > 0x300000);
}

TEST_CASE("a main arena that goes on in mappings is found piece by piece") {
  FakeGlibc glibc;
  for (Address end = FakeGlibc::heap + glibc.size - 0x20; glibc.at < end;)
    glibc.chunk(std::min<Address>(0x100, end - glibc.at));
  put_fence(glibc, FakeGlibc::heap + glibc.size);
  glibc.memory.put(FakeGlibc::arena + 4, 2, 4);  // NONCONTIGUOUS_BIT
  glibc.memory.map(place, 5 * piece_bytes);  // the program's own page, the top's piece, a block, and two that are full
  const Address last = place + 0x1000, block = last + piece_bytes, first = block + 0x40000;
  put_piece(glibc, last, piece_bytes);
  const std::uint64_t used = 8 * 0x1010;
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::top, last + used);
  glibc.memory.put_word(last + used + 8, (piece_bytes - used) | 1);
  put_block(glibc, block, 0x40000);
  put_piece(glibc, first, piece_bytes);
  put_piece(glibc, first + piece_bytes, 0x123000);
  glibc.put_counters(1, 0x40000);
  const std::uint64_t all = glibc.size + 2 * piece_bytes + 0x123000;
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::system_mem, all);
  const GlibcHeaps found = find(glibc);
  REQUIRE(found.arenas.size() == 1);
  CHECK(found.arenas[0].found_bytes() == all);
  REQUIRE(found.arenas[0].heaps.size() == 4);
  CHECK(found.arenas[0].heaps[1].range == Range{last, last + piece_bytes});
  CHECK(found.blocks.size() == 1);

  const auto report = walk_heaps(glibc.memory.facts(), glibc.memory, {});
  REQUIRE(report);
  REQUIRE(report->heaps.size() == 2);
  CHECK(report->heaps[0].size == all);
  CHECK(report->heaps[0].unread == 0);
  CHECK(report->heaps[0].top == piece_bytes - used);
  CHECK(report->notes.empty());
}

TEST_CASE("chunks that no fence ends are no piece of the main arena") {
  FakeGlibc glibc;
  small_heap(glibc);
  glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::system_mem, glibc.size + piece_bytes);
  glibc.memory.map(place, 2 * piece_bytes);
  put_piece(glibc, place, piece_bytes);
  SECTION("one of the two is missing") { glibc.memory.put_word(place + piece_bytes - 8, 0); }
  SECTION("the chain does not lead there") { glibc.memory.put_word(place + 3 * 0x1010 + 8, 0x41); }
  SECTION("it has more than is missing") {
    glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::system_mem, glibc.size + piece_bytes / 2);
  }
  const GlibcHeaps found = find(glibc);
  CHECK(found.arenas[0].heaps.size() == 1);
  CHECK(found.arenas[0].system_bytes > found.arenas[0].found_bytes());
}
