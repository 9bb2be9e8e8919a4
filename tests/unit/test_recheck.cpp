#include <catch2/catch.hpp>

#include "libvmscan/owners/recheck.h"

using namespace vmscan;

namespace {

Facts mapped(std::vector<Range> ranges, bool write = true) {
  Facts facts;
  for (const Range& range : ranges) {
    facts.mappings.emplace_back().range = range;
    facts.mappings.back().read = true;
    facts.mappings.back().write = write;
  }
  return facts;
}

HeapShortfall missing(std::uint64_t blocks, std::uint64_t bytes) {
  return {.allocator = "glibc", .blocks = blocks, .bytes = bytes};
}

}  // namespace

TEST_CASE("what a process mapped, unmapped and protected meanwhile is what changed") {
  const Facts before = mapped({{0x1000, 0x3000}, {0x8000, 0xa000}});
  CHECK(changed_bytes(before, before) == 0);
  CHECK(changed_bytes(before, mapped({{0x1000, 0x3000}})) == 0x2000);
  CHECK(changed_bytes(before, mapped({{0x1000, 0x4000}, {0x9000, 0xa000}})) == 0x2000);
  CHECK(changed_bytes(before, mapped({{0x1000, 0x2000}, {0x2000, 0x3000}, {0x8000, 0xa000}})) == 0);  // only split
  CHECK(changed_bytes(before, mapped({{0x1000, 0x3000}, {0x8000, 0xa000}}, false)) == 0x4000);
  CHECK(changed_bytes(Facts{}, before) == 0x4000);
  Facts file = before;
  file.mappings[1].inode = 7;  // files are nobody's heap
  CHECK(changed_bytes(before, file) == 0x2000);
}

TEST_CASE("a shortfall stands when each look has it and the process changed less than that") {
  CHECK(standing({missing(3, 0x9000)}, {missing(2, 0xb000)}, 0) == std::vector{missing(2, 0x9000)});
  CHECK(standing({missing(3, 0x9000)}, {missing(2, 0xb000)}, 0x2fff).size() == 1);
  CHECK(standing({missing(3, 0x9000)}, {missing(2, 0xb000)}, 0x3000).empty());
  CHECK(standing({missing(3, 0x9000)}, {}, 0).empty());
  CHECK(standing({}, {missing(3, 0x9000)}, 0).empty());
}

TEST_CASE("shortfalls are the same only of one allocator, kind of figure and reason") {
  const auto differs = [](auto change) {
    HeapShortfall other = missing(1, 0x1000);
    change(other);
    return standing({other}, {missing(1, 0x1000)}, 0).empty();
  };
  CHECK(differs([](HeapShortfall& each) { each.allocator = "jemalloc"; }));
  CHECK(differs([](HeapShortfall& each) { each.figures = HeapShortfall::Figures::Blocks; }));
  CHECK(differs([](HeapShortfall& each) { each.reason = HeapShortfall::Reason::NotUnderstood; }));
  CHECK_FALSE(differs([](HeapShortfall&) {}));
}

TEST_CASE("broken structures stand when they are the same each time") {
  HeapShortfall broken = missing(1, 0x3000), other = missing(1, 0x2000);
  broken.reason = other.reason = HeapShortfall::Reason::NotUnderstood;
  CHECK(standing({broken}, {broken}, 0) == std::vector{broken});
  CHECK(standing({broken}, {other}, 0).empty());
}

TEST_CASE("structures that are not known at all may be in motion: they stand when no look understood them") {
  HeapShortfall unknown{.allocator = "jemalloc", .blocks = {}, .bytes = {}};
  unknown.reason = HeapShortfall::Reason::NotUnderstood;
  CHECK(may_pass({unknown}));
  CHECK(standing({unknown}, {unknown}, 1 << 20) == std::vector{unknown});
  CHECK(standing({unknown}, {}, 0).empty());
  CHECK(standing({}, {unknown}, 0).empty());
}

TEST_CASE("what does not pass stays as the last look has it, and needs no other") {
  HeapShortfall swapped = missing(1, 0x1000), unknown{.allocator = "musl", .blocks = {}, .bytes = {}};
  swapped.reason = HeapShortfall::Reason::SwappedOut;
  CHECK_FALSE(may_pass({swapped, unknown}));
  CHECK(may_pass({swapped, missing(1, 1)}));
  CHECK(standing({}, {swapped, unknown}, 1 << 20) == std::vector{swapped, unknown});
}
