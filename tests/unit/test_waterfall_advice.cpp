// Each advice where it holds, and where it must not appear.
#include <catch2/catch.hpp>

#include "formats/views/waterfall_view.h"
#include "libvmscan/breakdown/waterfall.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;

namespace {

constexpr std::uint64_t mebi = 1 << 20;

struct Given {
  Snapshot snapshot;
  HeapReport report;

  Given() {
    snapshot.threads = {{.id = 1, .name = {}, .stack_pointer = {}}, {.id = 2, .name = {}, .stack_pointer = {}}};
  }
  Region& add(RegionType type, std::uint64_t size, std::uint64_t in_ram, std::uint64_t own, std::string details) {
    const Address begin = snapshot.regions.empty() ? 0x10000000 : snapshot.regions.back().range.end + 0x10000;
    Region region = tests::region_of(type, begin, size, tests::usage_of(size, size, own, in_ram - own, 0));
    region.details = std::move(details);
    region.rule = "a_rule";
    snapshot.regions.push_back(std::move(region));
    return snapshot.regions.back();
  }
  HeapTotals& add_heap(std::string name, std::uint64_t free, std::uint64_t trimmable) {
    report.heaps.push_back({.allocator = "glibc", .name = std::move(name), .ranges = {}, .in_ram = {}});
    HeapResidency residency;
    residency.in_ram.free = free;
    residency.trimmable = trimmable;
    report.heaps.back().residency = residency;
    return report.heaps.back();
  }
  std::vector<std::string_view> codes() const {
    std::vector<std::string_view> codes;
    for (const Advice& each : explain(snapshot, &report).advice)
      codes.push_back(advice_names[static_cast<std::size_t>(each.kind)]);
    return codes;
  }
  std::string text() const {
    const Waterfall waterfall = explain(snapshot, &report);
    return formats::waterfall_lines(waterfall, {.width = 0});
  }
  std::uint64_t bytes_of(AdviceKind kind) const {
    for (const Advice& each : explain(snapshot, &report).advice)
      if (each.kind == kind) return each.bytes;
    return 0;
  }
};

using Codes = std::vector<std::string_view>;

}  // namespace

TEST_CASE("threads that nobody joined are told first, with what they take and what of it is in RAM") {
  Given given;
  given.add(RegionType::PrivateData, 4 * mebi, 4 * mebi, 4 * mebi, "");
  for (int i = 0; i < 300; ++i) given.add(RegionType::Stack, 8 * mebi, 8 << 10, 8 << 10, "ended thread, not joined");
  given.add_heap("main arena", 3 * mebi, 3 * mebi);
  CHECK(given.codes() == Codes{"unjoined_threads", "malloc_trim"});
  CHECK(given.text().find("300 ended threads were not joined: 2,457,600 K of stacks, 2,400 K of it in RAM") !=
        std::string::npos);
  SECTION("where nothing tells what is in RAM, nothing is said of it") {
    for (Region& region : given.snapshot.regions) region.usage.total_ws = Bytes{};
    CHECK(given.text().find("2,457,600 K of stacks are lost until") != std::string::npos);
  }
  SECTION("without a walk over heaps, too") {
    const Waterfall waterfall = explain(given.snapshot, nullptr);
    REQUIRE(waterfall.advice.size() == 1);
    CHECK(waterfall.advice[0].threads == 300);
  }
  SECTION("not for stacks that are kept, or of living threads") {
    for (Region& region : given.snapshot.regions)
      if (region.type == RegionType::Stack) region.details = "kept for the next thread";
    CHECK(given.codes() == Codes{"malloc_trim"});
    for (Region& region : given.snapshot.regions)
      if (region.type == RegionType::Stack) region.details = "Thread ID: 5 (ended thread, not joined)";
    CHECK(given.codes() == Codes{"malloc_trim"});
  }
}

TEST_CASE("stacks are parts of their own: of ended threads, kept ones, and the others") {
  Given given;
  given.add(RegionType::Stack, 8 * mebi, 0x2000, 0x2000, "ended thread, not joined");
  given.add(RegionType::Stack, 8 * mebi, 0x3000, 0x3000, "kept for the next thread");
  given.add(RegionType::Stack, 8 * mebi, 0x4000, 0x4000, "Thread ID: 7");
  const Waterfall waterfall = explain(given.snapshot, nullptr);
  REQUIRE(waterfall.lines.size() == 3);
  CHECK(waterfall.lines[0].details.empty());
  CHECK(waterfall.lines[0].bytes == 0x4000);
  CHECK(waterfall.lines[1].details == "kept for the next thread");
  CHECK(waterfall.lines[2].details == "ended thread, not joined");
}

TEST_CASE("MALLOC_ARENA_MAX is advised where threads can share arenas") {
  Given given;
  given.add(RegionType::Heap, 100 * mebi, 100 * mebi, 100 * mebi, "");
  given.add_heap("main arena", mebi, mebi);
  given.add_heap("arena 1", 4 * mebi, mebi);
  HeapTotals& last = given.add_heap("arena 2", 4 * mebi, mebi);
  last.residency->shared_free = 2 * mebi;
  last.residency->shared_pages = last.residency->sharing_blocks = 5;
  CHECK(given.codes() == Codes{"malloc_trim", "shared_pages", "arenas"});
  // Nothing is counted twice: 8 MiB are free in both, 2 of them trimmable and 2 in shared pages.
  CHECK(given.bytes_of(AdviceKind::MallocTrim) == 3 * mebi);
  CHECK(given.bytes_of(AdviceKind::SharedPages) == 2 * mebi);
  CHECK(given.bytes_of(AdviceKind::Arenas) == 4 * mebi);
  SECTION("not for one thread, which made none of them") {
    given.snapshot.threads.resize(1);
    CHECK(given.codes() == Codes{"malloc_trim", "shared_pages"});
  }
  SECTION("not for a single arena beside the main one") {
    given.report.heaps.pop_back();
    CHECK(given.codes() == Codes{"malloc_trim"});
  }
}

TEST_CASE("nothing is advised for what is little") {
  Given given;
  given.add(RegionType::Heap, 100 * mebi, 100 * mebi, 100 * mebi, "");
  given.add_heap("main arena", 60 << 10, 60 << 10);
  CHECK(given.codes().empty());
  given.report.heaps[0].residency->trimmable = 500 << 10;  // less than half a percent
  CHECK(given.codes().empty());
}

TEST_CASE("why malloc keeps so much is said where one free has raised its thresholds") {
  Given given;
  given.add(RegionType::Heap, 100 * mebi, 100 * mebi, 100 * mebi, "");
  given.add_heap("main arena", 20 * mebi, 10 * mebi);
  CHECK(given.text().find("THRESHOLD") == std::string::npos);
  given.report.raised_threshold = 20 * mebi + 4096;
  CHECK(given.text().find("One free of 20,484 K raised M_MMAP_THRESHOLD to that size") != std::string::npos);
  given.report.heaps[0].residency->trimmable = 0;
  CHECK(given.text().find("THRESHOLD") == std::string::npos);
}

TEST_CASE("what huge pages hold is said to be part of what malloc_trim gives back") {
  Given given;
  given.add(RegionType::Heap, 100 * mebi, 100 * mebi, 100 * mebi, "");
  HeapTotals& heap = given.add_heap("main arena", 20 * mebi, 10 * mebi);
  heap.residency->half_used_pages = 4;
  heap.residency->half_used_free = heap.residency->half_used_trimmable = 8 * mebi;
  given.report.huge_page_bytes = 2 * mebi;
  CHECK(given.codes() == Codes{"malloc_trim", "huge_pages"});
  CHECK(given.text().find("8,192 K of free memory, all of it counted in what malloc_trim(0)") != std::string::npos);
  given.report.heaps[0].residency->half_used_trimmable = 0;
  CHECK(given.text().find("counted in") == std::string::npos);
}

TEST_CASE("huge pages behind idle stacks rank by what they waste") {
  Given given;
  given.add(RegionType::Stack, 100 * mebi, 100 * mebi, 100 * mebi, "Thread ID: 7");
  given.add_heap("main arena", 3 * mebi, 3 * mebi);
  given.snapshot.huge_stacks = HugeStacks{.stacks = 50, .pages = 50, .page_bytes = 2 * mebi, .unused = 99 * mebi};
  CHECK(given.codes() == Codes{"huge_stacks", "malloc_trim"});
  CHECK(given.text().find("50 huge pages of 2,048 K lie behind 50 stacks") != std::string::npos);
  given.snapshot.huge_stacks->unused = 2 * mebi;
  CHECK(given.codes() == Codes{"malloc_trim", "huge_stacks"});
  given.snapshot.huge_stacks.reset();
  CHECK(given.codes() == Codes{"malloc_trim"});
}

TEST_CASE("what was changed of a private mapping of a file is a part of its own") {
  Given given;
  Region& region = given.add(RegionType::MappedFile, 64 * mebi, 64 * mebi, 48 * mebi, "/a file");
  SECTION("by what is private") {}
  SECTION("by what differs from the file, which a fork may share") {
    region.usage.private_ws = 0;
    region.usage.shareable_ws = 64 * mebi;
    region.modified = 48 * mebi;
  }
  const Waterfall waterfall = explain(given.snapshot, nullptr);
  REQUIRE(waterfall.lines.size() == 2);
  CHECK(waterfall.lines[0].part == WaterfallPart::MappedFileModified);
  CHECK(waterfall.lines[0].bytes == 48 * mebi);
  CHECK(waterfall.lines[1].part == WaterfallPart::MappedFile);
  CHECK(waterfall.lines[1].bytes == 16 * mebi);
  given.snapshot.regions[0].modified = given.snapshot.regions[0].usage.private_ws = 0;
  CHECK(explain(given.snapshot, nullptr).lines.size() == 1);
}
