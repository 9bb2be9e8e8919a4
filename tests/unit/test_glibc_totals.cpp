#include <catch2/catch.hpp>

#include "libvmscan/owners/allocators/glibc/glibc_walk.h"

using namespace vmscan;

namespace {

constexpr std::uint64_t page = 0x1000;

/// Two arenas with a heap each and two blocks with mappings of their own, all of which malloc counts.
GlibcHeaps whole() {
  GlibcHeaps found;
  for (unsigned number = 0; number < 2; ++number) {
    const Address begin = 0x10000000 * (number + 1);
    GlibcArena arena{.number = number, .address = begin, .top = begin + 0x100, .system_bytes = 0x21000, .heaps = {}};
    arena.heaps.push_back(
        {.range = {begin, begin + 0x21000}, .first_chunk = begin + 0x10, .reserved = {}, .cut = false});
    found.arenas.push_back(std::move(arena));
  }
  found.blocks = {{.range = {0x50000000, 0x50021000}, .chunk = 0x50000000},
                  {.range = {0x60000000, 0x60031000}, .chunk = 0x60000000}};
  found.mapped = GlibcMapped{2, 0x52000};
  found.searched = true;
  return found;
}

std::vector<HeapShortfall> missing(const GlibcHeaps& found) {
  std::vector<HeapShortfall> shortfalls;
  check_glibc_totals(found, page, HeapShortfall::Figures::Blocks, shortfalls);
  return shortfalls;
}

HeapShortfall shortfall(Bytes blocks, Bytes bytes) {
  return {.allocator = "glibc", .figures = HeapShortfall::Figures::Blocks, .blocks = blocks, .bytes = bytes};
}

}  // namespace

TEST_CASE("where all is found that malloc counts, nothing is missing") {
  CHECK(missing(whole()).empty());
  GlibcHeaps more = whole();
  more.mapped = GlibcMapped{1, 0x21000};  // one was freed meanwhile
  more.arenas[0].system_bytes = 0x20000;
  CHECK(missing(more).empty());
  GlibcHeaps unknown = whole();
  unknown.mapped.reset();
  unknown.arenas[0].system_bytes.reset();
  CHECK(missing(unknown).empty());
  CHECK(missing({}).empty());
}

TEST_CASE("blocks with mappings of their own that were not found are counted") {
  GlibcHeaps found = whole();
  found.blocks.pop_back();
  CHECK(missing(found) == std::vector{shortfall(1, 0x31000)});
  found.not_searched = 1;
  CHECK(missing(found).at(0).reason == HeapShortfall::Reason::SearchEnded);
}

TEST_CASE("what arenas take beyond their heaps is missing, in blocks that nobody has counted") {
  GlibcHeaps found = whole();
  found.arenas[1].system_bytes = 0x21000 + 0x84000;
  CHECK(missing(found) == std::vector{shortfall({}, 0x84000)});
  found = whole();
  found.arenas[1].heaps[0].first_chunk = 0;  // nothing in it looks like a block
  CHECK(missing(found) == std::vector{shortfall({}, 0x21000)});
  found = whole();
  found.arenas[0].heaps[0].range.begin += 0x290;  // brk began within a page
  CHECK(missing(found).empty());
}

TEST_CASE("counts that no process can have do not wrap around") {
  GlibcHeaps found = whole();
  for (GlibcArena& arena : found.arenas) arena.system_bytes = ~std::uint64_t{0};
  found.mapped = GlibcMapped{~std::uint64_t{0}, ~std::uint64_t{0}};
  const auto shortfalls = missing(found);
  REQUIRE(shortfalls.size() == 1);
  CHECK(shortfalls[0].bytes == Bytes{Bytes::max_value});
}
