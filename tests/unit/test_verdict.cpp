#include <catch2/catch.hpp>
#include <vector>

#include "libvmscan/diff/verdict.h"

using namespace vmscan;
using Outcome = Verdict::Outcome;

namespace {

Summary heaps_of(Bytes bytes) {
  Summary summary;
  summary.rows[static_cast<std::size_t>(RegionType::Heap)].size = bytes;
  return summary;
}

Verdict judged(std::string_view limit, Bytes base, Bytes now) {
  return judge(parse_condition("heap.size " + std::string(limit)).value(), heaps_of(base), heaps_of(now));
}

/// The limit must separate what passes from what trips.
void check_limit(std::string_view limit, std::uint64_t base, std::uint64_t last_passing) {
  INFO(limit << " from " << base);
  CHECK(judged(limit, base, last_passing).outcome == Outcome::Passed);
  CHECK(judged(limit, base, last_passing + 1).outcome == Outcome::Tripped);
  const Verdict verdict = judged(limit, base, last_passing);
  CHECK(*verdict.limit == (verdict.condition.or_equal ? last_passing + 1 : last_passing));
}

/// All figures are 100; a shortfall in the base, in the new one, or in both.
Verdict doubted(std::string_view condition, HeapShortfall shortfall, bool in_base, bool in_now) {
  const auto side = [&](bool is_short) {
    Summary summary;
    for (TypeTotal& row : summary.rows) row.size = row.usage.private_ws = row.regions = row.largest = 100;
    summary.total = summary.rows[0];
    HeapContents contents;
    contents.heaps.push_back({.allocator = "glibc", .name = "main arena", .ranges = {}, .in_ram = {}});
    contents.heaps.back().live = {100, 100};
    contents.sizes.push_back({.size = 64, .least_request = 41, .most_request = 56, .live = {100, 100}});
    contents.types.push_back({.name = "shop::Order", .image = "shop", .live = {100, 100}});
    summary.heap = std::make_shared<HeapContents>(std::move(contents));
    if (is_short) summary.heap_shortfalls.push_back(shortfall);
    return summary;
  };
  return judge(parse_condition(condition).value(), side(in_base), side(in_now));
}

const HeapShortfall of_regions{.allocator = "glibc", .blocks = 3, .bytes = 10 << 10};
const HeapShortfall of_blocks{.allocator = "glibc",
                              .figures = HeapShortfall::Figures::Blocks,
                              .reason = HeapShortfall::Reason::SwappedOut,
                              .blocks = {},
                              .bytes = 10 << 10};

}  // namespace

TEST_CASE("a figure that lacks what an allocator counts is not judged") {
  for (const char* condition : {"heap.private_ws > 100", "heap.private_ws > +0", "heap.size >= +1%", "heap.count > 100",
                                "heap.largest > +max(1,1%)", "private_data.private_ws > 99", "private_data.count > 99"})
    CHECK(doubted(condition, of_regions, false, true).outcome == Outcome::Unknown);
  for (const char* condition :
       {"heap.live > 100", "heap.live_blocks > +0", "heap.live[48] > +0", "heap.live[shop::Order] > +0"}) {
    CHECK(doubted(condition, of_blocks, false, true).outcome == Outcome::Unknown);
    CHECK(doubted(condition, of_regions, true, true).outcome == Outcome::Passed);
  }
  CHECK(doubted("heap.private_ws > +0", of_blocks, true, true).outcome == Outcome::Passed);
  CHECK(doubted("heap.private_ws > +0", of_regions, false, true).reason ==
        "heap.private_ws is too low in the new snapshot: glibc's malloc counts 3 blocks of 10 K more than could be "
        "found");
  CHECK(doubted("heap.live > +0", of_blocks, true, false).reason ==
        "heap.live is too low in the base: 10 K of glibc's malloc is swapped out and was not read; --all-pages reads "
        "it");
}

TEST_CASE("a shortfall that cannot change the verdict leaves it") {
  // What was found is beyond the limit already; what was not is more.
  for (const char* condition : {"heap.private_ws > 99", "heap.largest >= 100", "heap.size > 5"})
    CHECK(doubted(condition, of_regions, true, true).outcome == Outcome::Tripped);
  CHECK(doubted("heap.live_blocks > 99", of_blocks, true, true).outcome == Outcome::Tripped);
  // Private data holds what was not found, and has no more than that.
  CHECK(doubted("private_data.private_ws > 100", of_regions, true, true).outcome == Outcome::Passed);
  CHECK(doubted("private_data.private_ws > +0", of_regions, false, true).outcome == Outcome::Passed);
  CHECK(doubted("private_data.private_ws > +0", of_regions, true, false).outcome == Outcome::Unknown);
  for (const char* condition : {"total.private_ws > 100", "total.private_ws > +0", "managed_heap.size > +0",
                                "stack.size > 100", "shareable.count > +0"})
    CHECK(doubted(condition, of_regions, true, true).outcome == Outcome::Passed);
}

TEST_CASE("an absolute limit looks at the new value alone") {
  check_limit("> 100", 0, 100);
  check_limit(">= 100", 500, 99);
  CHECK(judged("> 100", Bytes{}, 101).outcome == Outcome::Tripped);
  CHECK(judged("> 100", 5, Bytes{}).outcome == Outcome::Unknown);
}

TEST_CASE("a growth is allowed on top of the base") {
  check_limit("> +20", 100, 120);
  check_limit(">= +20", 100, 119);
  CHECK(judged("> +20", 100, 3).outcome == Outcome::Passed);
  CHECK(judged("> +20", 100, 3).delta() == -97);
}

TEST_CASE("percentages are exact: rounded down for > and up for >=") {
  check_limit("> +10%", 1000, 1100);
  check_limit(">= +10%", 1000, 1099);
  check_limit("> +10%", 1005, 1105);   // 100.5 allowed
  check_limit(">= +10%", 1005, 1105);  // 1105 is not yet +10%
  check_limit("> +2.5%", 1000, 1025);
  check_limit("> +0.0001%", 999'999, 999'999);
  check_limit("> +0.0001%", 1'000'000, 1'000'001);
  // 2^53 + 1, where a double would lose the last bit
  check_limit("> +100%", 9007199254740993, 18014398509481986);
  check_limit("> +33.3333%", 3'000'000'000'000'000'003, 3'999'999'000'000'000'003);
}

TEST_CASE("growth conditions trip on growth only") {
  check_limit(">= +0", 100, 100);
  check_limit(">= +0%", 100, 100);
  check_limit(">= +10%", 0, 0);
  check_limit("> +0", 100, 100);
}

TEST_CASE("from 0 any growth is beyond a percentage, but not beyond the amount of max()") {
  check_limit("> +10%", 0, 0);
  CHECK(judged("> +10%", 0, 1).reason == "from 0, any growth is beyond a percentage");
  check_limit("> +max(100,10%)", 0, 100);
}

TEST_CASE("the larger of two is what max allows") {
  check_limit("> +max(100,10%)", 500, 600);
  check_limit("> +max(100,10%)", 5000, 5500);
  check_limit(">= +max(100,10%)", 5000, 5499);
}

TEST_CASE("a limit that no value can reach never trips") {
  const std::uint64_t most = Bytes::max_value;
  for (const char* limit : {"> +200%", ">= +200%", "> +18446744073709551614", "> +max(1,1000000%)"}) {
    INFO(limit);
    CHECK(judged(limit, most - 5, most).outcome == Outcome::Passed);
    CHECK(judged(limit, most - 5, most).limit == Bytes{most});
  }
}

TEST_CASE("an unknown value is neither passed nor tripped") {
  CHECK(judged("> +1", Bytes{}, 5).outcome == Outcome::Unknown);
  CHECK(judged("> +1", Bytes{}, 5).reason == "heap.size is not known in the base");
  CHECK(judged("> +1", 5, Bytes{}).reason == "heap.size is not known in the new snapshot");
  CHECK_FALSE(judged("> +1", 5, Bytes{}).delta());
  CHECK(judged("slope > 1/h", 5, 5).outcome == Outcome::Unknown);
}

TEST_CASE("a gate trips when any condition does, and is unknown when one is and none trips") {
  const Verdict passed = judged("> 1", 0, 1), tripped = judged("> 1", 0, 2), unknown = judged("> 1", 0, Bytes{});
  CHECK(outcome_of({}) == Outcome::Passed);
  CHECK(outcome_of(std::vector{passed, passed}) == Outcome::Passed);
  CHECK(outcome_of(std::vector{passed, unknown}) == Outcome::Unknown);
  CHECK(outcome_of(std::vector{unknown, tripped, passed}) == Outcome::Tripped);
}
