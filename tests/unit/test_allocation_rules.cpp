// The rule table for allocations, as a live source of Windows will use it.
#include <catch2/catch.hpp>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/classify/rules.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/source/windows/layout/memory_constants.h"

using namespace vmscan;

namespace {

AllocationPages pages(Address begin, Address end, Address base, AllocationKind kind, std::uint32_t protection = 0) {
  return {.range = {begin, end},
          .allocation_base = base,
          .kind = kind,
          .state = protection != 0 ? State::Committed : State::Reserved,
          .protection = protection_of_pages(protection)};
}

Snapshot build(Facts facts) {
  Snapshot snapshot = build_snapshot(std::move(facts));
  CHECK(broken_laws(snapshot) == std::vector<std::string>{});
  for (const Region& region : snapshot.regions) CHECK_FALSE(meaning_of_rule(region.rule).empty());
  return snapshot;
}

}  // namespace

TEST_CASE("PAGE_* values are spelled as VMMap spells them") {
  const std::vector<std::pair<std::uint32_t, std::string>> expected{{0x01, "No access"},
                                                                    {0x02, "Read"},
                                                                    {0x04, "Read/Write"},
                                                                    {0x08, "Copy on write"},
                                                                    {0x10, "Execute"},
                                                                    {0x20, "Execute/Read"},
                                                                    {0x40, "Execute/Read/Write"},
                                                                    {0x80, "Execute/Copy on Write"},
                                                                    {0x104, "Read/Write/Guard"},
                                                                    {0x404, "Read/Write"}};
  for (const auto& [value, text] : expected) {
    REQUIRE(protection_of_pages(value));
    CHECK(to_string(*protection_of_pages(value)) == text);
    CHECK(page_constant(*protection_of_pages(value)) == static_cast<int>(value & 0x1ff));
  }
  CHECK_FALSE(protection_of_pages(0));
  CHECK_FALSE(protection_of_pages(0x03));
}

TEST_CASE("a section of a known file is a mapped file; two allocations that touch stay two regions") {
  Facts facts;
  Allocations& allocations = facts.allocations.emplace();
  allocations.pages = {pages(0x20000, 0x30000, 0x20000, AllocationKind::Mapped, 2),
                       pages(0x30000, 0x34000, 0x30000, AllocationKind::Mapped, 8)};
  allocations.file_names_known = true;
  allocations.file_names[0x30000] = "C:\\data.bin";
  const Snapshot snapshot = build(std::move(facts));
  REQUIRE(snapshot.regions.size() == 2);
  CHECK(snapshot.regions[0].type == RegionType::Shareable);
  CHECK(snapshot.regions[0].usage.private_bytes == Bytes{0});
  CHECK(snapshot.regions[1].type == RegionType::MappedFile);
  CHECK(snapshot.regions[1].details == "C:\\data.bin");
  CHECK(snapshot.regions[1].usage.private_bytes == Bytes{0x4000});  // copied when it is written
  CHECK(snapshot.notes.empty());
}

TEST_CASE("working sets come from the pages, where a source has them") {
  Facts facts;
  facts.pages_known = true;
  facts.pages.append({0x10000, 0x12000}, page::present | page::exclusive);
  facts.pages.append({0x12000, 0x13000}, page::present | page::file | page::exclusive);
  facts.pages.append({0x13000, 0x14000}, page::present | page::file);
  facts.allocations.emplace().pages = {pages(0x10000, 0x18000, 0x10000, AllocationKind::Image, 0x20)};
  const Snapshot snapshot = build(std::move(facts));
  const Usage& usage = snapshot.regions.at(0).usage;
  CHECK(usage.total_ws == Bytes{0x4000});
  CHECK(usage.private_ws == Bytes{0x2000});
  CHECK(usage.shareable_ws == Bytes{0x2000});
  CHECK(usage.shared_ws == Bytes{0x1000});
}

TEST_CASE("what lies between the end of an allocation and the next boundary is unusable") {
  Facts facts;
  facts.address_space = Range{0, 0x100000};
  Allocations& allocations = facts.allocations.emplace();
  allocations.granularity = 0x10000;
  allocations.pages = {pages(0x10000, 0x11000, 0x10000, AllocationKind::Private, 4),
                       pages(0x18000, 0x20000, 0x18000, AllocationKind::Private, 4),
                       pages(0xff000, 0x100000, 0xff000, AllocationKind::Private, 4)};
  const Snapshot snapshot = build(std::move(facts));
  std::vector<Range> unusable;
  for (const Region& region : snapshot.regions)
    if (region.type == RegionType::Unusable) unusable.push_back(region.range);
  CHECK(unusable == std::vector<Range>{{0, 0x10000}, {0x11000, 0x18000}});
  CHECK(free_regions(snapshot).size() == 1);
}

TEST_CASE("threads may share a stack; a stack is no section") {
  Facts facts;
  facts.threads = {{.id = 1, .name = "a", .stack_pointer = {}}, {.id = 2, .name = {}, .stack_pointer = {}}};
  Allocations& allocations = facts.allocations.emplace();
  allocations.pages = {pages(0x10000, 0x20000, 0x10000, AllocationKind::Private, 4),
                       pages(0x30000, 0x40000, 0x30000, AllocationKind::Mapped, 4)};
  const auto thread = [](std::uint32_t id, Range stack) {
    return ThreadMemory{.id = id, .stack = stack, .stack_limit = {}, .evidence = "told", .teb = {}};
  };
  allocations.threads = {thread(1, {0x10000, 0x20000}), thread(2, {0x18000, 0x20000}), thread(3, {0x30000, 0x40000})};
  const Snapshot snapshot = build(std::move(facts));
  CHECK(snapshot.regions[0].details == "Thread ID: 1 (a); Thread ID: 2");
  CHECK(snapshot.regions[1].type == RegionType::Shareable);
}
