#include <catch2/catch.hpp>
#include <functional>

#include "libvmscan/model/laws.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::tests;

TEST_CASE("a snapshot that keeps every law is not blamed") {
  CHECK(broken_laws(rich_snapshot()).empty());
  CHECK(broken_laws(Snapshot{}).empty());
}

TEST_CASE("each law is told when it is broken") {
  struct Case {
    const char* said;
    std::function<void(Snapshot&)> harm;
  };
  const auto set = [](Region& region, Bytes Usage::*column, std::uint64_t value) {
    region.usage.*column = value;
    region.blocks[0].usage.*column = value;
  };
  // Region 2 is a heap of one block.
  const std::vector<Case> cases{
      {"is not after", [](Snapshot& s) { std::swap(s.regions[1], s.regions[2]); }},
      {"is not after",
       [](Snapshot& s) {
         s.regions[2].range.begin = 0x403000;
         s.regions[2].blocks[0].range.begin = 0x403000;
       }},
      {"is empty", [](Snapshot& s) { s.regions[2].range.end = s.regions[2].range.begin; }},
      {"its blocks end at", [](Snapshot& s) { s.regions[1].blocks.pop_back(); }},
      {"its blocks end at", [](Snapshot& s) { s.regions[2].blocks.clear(); }},
      {"does not follow", [](Snapshot& s) { s.regions[1].blocks[1].range.begin += 0x1000; }},
      {"does not follow", [](Snapshot& s) { s.regions[1].blocks[1].range.begin -= 0x1000; }},
      {"never stored", [](Snapshot& s) { s.regions[2].type = RegionType::Free; }},
      {"never stored", [](Snapshot& s) { s.regions[2].type = RegionType::PageTable; }},
      {"not known", [](Snapshot& s) { s.regions_known = false; }},
      {"is not private", [&](Snapshot& s) { set(s.regions[2], &Usage::total_ws, 0x6000); }},
      {"exceeds shareable", [&](Snapshot& s) { set(s.regions[2], &Usage::shared_ws, 1); }},
      {"exceeds committed", [&](Snapshot& s) { set(s.regions[2], &Usage::committed, 0x4fff); }},
      {"the sum of its blocks", [](Snapshot& s) { s.regions[2].usage.swap = 1; }},
      {"the sum of its blocks", [](Snapshot& s) { s.regions[2].blocks[0].usage.swap = Bytes{}; }},
  };
  for (const Case& c : cases) {
    CAPTURE(c.said);
    Snapshot snapshot = rich_snapshot();
    c.harm(snapshot);
    const std::vector<std::string> broken = broken_laws(snapshot);
    REQUIRE_FALSE(broken.empty());
    CHECK_THAT(broken.front(), Catch::Contains(c.said));
  }
}

TEST_CASE("no more than twenty broken laws are told") {
  Snapshot snapshot = long_snapshot(100);
  for (Region& region : snapshot.regions) region.usage.committed = 0;
  CHECK(broken_laws(snapshot).size() == 20);
}
