#include <catch2/catch.hpp>
#include <random>

#include "libvmscan/model/pages.h"

using namespace vmscan;

namespace {

constexpr std::uint64_t page_size = 4096;

bool equal(const PageCounts& a, const PageCounts& b) {
  return a.anonymous_exclusive == b.anonymous_exclusive && a.anonymous_shared == b.anonymous_shared &&
         a.file_exclusive == b.file_exclusive && a.file_shared == b.file_shared && a.swapped == b.swapped &&
         a.guard == b.guard && a.hugetlb == b.hugetlb;
}

/// The obvious way: one condition for each page.
PageCounts count_slowly(const std::vector<std::uint8_t>& conditions, std::size_t from, std::size_t to) {
  PageCounts counts;
  for (std::size_t i = from; i < to && i < conditions.size(); ++i) {
    const std::uint8_t c = conditions[i];
    if ((c & page::guard) != 0) {
      counts.guard += page_size;
      continue;
    }
    if ((c & page::present) == 0) {
      if ((c & page::swapped) != 0) counts.swapped += page_size;
      continue;
    }
    const bool file = (c & page::file) != 0, exclusive = (c & page::exclusive) != 0;
    if (file && exclusive) counts.file_exclusive += page_size;
    if (file && !exclusive) counts.file_shared += page_size;
    if (!file && exclusive) counts.anonymous_exclusive += page_size;
    if (!file && !exclusive) counts.anonymous_shared += page_size;
    if ((c & page::hugetlb) != 0) counts.hugetlb += page_size;
  }
  return counts;
}

Range pages(std::size_t from, std::size_t to) { return {from * page_size, to * page_size}; }

}  // namespace

TEST_CASE("page runs count like one page after the other") {
  std::mt19937 random(20261121);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::uint8_t> conditions;
    PageRuns runs;
    while (conditions.size() < 500) {
      const auto condition = static_cast<std::uint8_t>(random() % 3 == 0 ? 0 : random() % 64);
      const std::size_t length = 1 + random() % 8;
      runs.append(pages(conditions.size(), conditions.size() + length), condition);
      conditions.insert(conditions.end(), length, condition);
    }
    for (int query = 0; query < 50; ++query) {
      const std::size_t from = random() % 520, to = from + random() % 100;
      CAPTURE(round, from, to);
      REQUIRE(equal(runs.count(pages(from, to)), count_slowly(conditions, from, to)));
      std::uint64_t guarded = 0;
      for (const Range& range : runs.guards(pages(from, to))) guarded += range.size();
      REQUIRE(guarded == count_slowly(conditions, from, to).guard);
    }
  }
}

TEST_CASE("page runs merge neighbours in the same condition only") {
  PageRuns runs;
  runs.append(pages(0, 1), page::present);
  runs.append(pages(1, 2), page::present);
  runs.append(pages(2, 3), page::swapped);
  runs.append(pages(4, 5), page::swapped);
  runs.append(pages(5, 6), 0);
  REQUIRE(runs.runs().size() == 3);
  CHECK(runs.runs()[0].range == pages(0, 2));
  CHECK(runs.runs()[2].range == pages(4, 5));
}

TEST_CASE("a page that is appended twice counts once") {
  PageRuns runs;
  runs.append(pages(0, 4), page::present);
  runs.append(pages(2, 6), page::swapped);
  runs.append(pages(1, 3), page::present);
  CHECK(runs.count(pages(0, 10)).in_ram() == 4 * page_size);
  CHECK(runs.count(pages(0, 10)).swapped == 2 * page_size);
}

TEST_CASE("guard ranges are cut to what is asked for, and joined") {
  PageRuns runs;
  runs.append(pages(1, 3), page::guard);
  runs.append(pages(3, 4), page::guard | page::swapped);
  runs.append(pages(6, 9), page::guard);
  CHECK(runs.guards(pages(2, 7)) == std::vector<Range>{pages(2, 4), pages(6, 7)});
  CHECK(runs.guards(pages(4, 6)).empty());
  CHECK(runs.count({}).guard == 0);
}

TEST_CASE("what is held is in RAM or swapped out") {
  PageRuns runs;
  runs.append({0x1000, 0x2000}, page::present);
  CHECK_FALSE(runs.any_swapped({0, 0x9000}));
  runs.append({0x2000, 0x3000}, page::swapped);
  runs.append({0x4000, 0x5000}, page::guard);
  CHECK(runs.held({0x1800, 0x9000}) == std::vector<Range>{{0x1800, 0x3000}});
  CHECK(runs.any_swapped({0x2800, 0x2900}));
  CHECK_FALSE(runs.any_swapped({0x3000, 0x9000}));
}

TEST_CASE("sixty thousand queries over a million runs do not walk all of them") {
  PageRuns runs;
  constexpr std::size_t count = 1'000'000;
  for (std::size_t i = 0; i < count; ++i) runs.append(pages(2 * i, 2 * i + 1), page::present | page::exclusive);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 60'000; ++i) sum += runs.count(pages(32 * i, 32 * i + 32)).anonymous_exclusive;
  CHECK(sum == 60'000 * 16 * page_size);  // a walk over all would take minutes
}
