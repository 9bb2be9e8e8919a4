#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

#include "libvmscan/diff/snapshot_diff.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

constexpr std::uint64_t page = 0x1000;

Region named(RegionType type, Address begin, std::uint64_t pages, std::string details, std::string rule = "test") {
  Region region = region_of(type, begin, pages * page, usage_of(pages * page, pages * page, page, 0, 0));
  region.details = std::move(details);
  region.rule = std::move(rule);
  return region;
}

Snapshot snapshot_of(std::vector<Region> regions, std::uint32_t pid = 7) {
  Snapshot snapshot;
  snapshot.target.pid = pid;
  snapshot.target.started_at_unix_ms = 1'000'000;
  snapshot.page_table = 3 * page;
  snapshot.address_space = Range{0x1000, 0x7ffffffff000};
  snapshot.regions = std::move(regions);
  return snapshot;
}

std::size_t count(const SnapshotDiff& diff, Change change) {
  return static_cast<std::size_t>(std::count_if(diff.changes.begin(), diff.changes.end(),
                                                [&](const RegionChange& c) { return c.change == change; }));
}

const RegionChange& only(const SnapshotDiff& diff, Change change) {
  REQUIRE(count(diff, change) == 1);
  return *std::find_if(diff.changes.begin(), diff.changes.end(),
                       [&](const RegionChange& c) { return c.change == change; });
}

bool same_region(const Region& a, const Region& b) {
  const auto same_block = [](const Block& x, const Block& y) {
    return x.range == y.range && x.state == y.state && x.protection == y.protection && x.usage == y.usage &&
           x.details == y.details;
  };
  return a.range == b.range && a.type == b.type && a.rule == b.rule && a.details == b.details &&
         a.build_id == b.build_id && a.usage == b.usage &&
         std::equal(a.blocks.begin(), a.blocks.end(), b.blocks.begin(), b.blocks.end(), same_block);
}

/// Regions at random places of random kinds, sorted, not overlapping.
Snapshot random_snapshot(std::mt19937& random, std::size_t regions) {
  const auto up_to = [&random](std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(0, most)(random);
  };
  std::vector<Region> list;
  Address at = 0x10000;
  for (std::size_t i = 0; i < regions; ++i) {
    at += up_to(3) * page;
    const auto type = static_cast<RegionType>(up_to(6));
    list.push_back(named(type, at, 1 + up_to(4), up_to(2) == 0 ? "a" : "b"));
    at = list.back().range.end;
  }
  return snapshot_of(std::move(list));
}

void check_laws(const SnapshotDiff& diff) {
  std::vector<std::size_t> base_seen, now_seen;
  for (const RegionChange& change : diff.changes) {
    base_seen.insert(base_seen.end(), change.base.begin(), change.base.end());
    now_seen.insert(now_seen.end(), change.now.begin(), change.now.end());
  }
  std::sort(base_seen.begin(), base_seen.end());
  std::sort(now_seen.begin(), now_seen.end());
  REQUIRE(base_seen.size() == diff.base.regions.size());
  REQUIRE(now_seen.size() == diff.now.regions.size());
  for (std::size_t i = 0; i < base_seen.size(); ++i) REQUIRE(base_seen[i] == i);
  for (std::size_t i = 0; i < now_seen.size(); ++i) REQUIRE(now_seen[i] == i);

  std::int64_t committed = 0;
  for (const RegionChange& change : diff.changes)
    committed += *difference(diff.figures_before(change).usage.committed, diff.figures_after(change).usage.committed);
  committed += *difference(diff.base.page_table, diff.now.page_table);
  REQUIRE(Delta{committed} ==
          difference(diff.base_totals.total.usage.committed, diff.now_totals.total.usage.committed));
}

void check_applied(const std::vector<Region>& base, const SnapshotDiff& diff) {
  const std::vector<Region> applied = apply(base, diff);
  REQUIRE(applied.size() == diff.now.regions.size());
  for (std::size_t i = 0; i < applied.size(); ++i) REQUIRE(same_region(applied[i], diff.now.regions[i]));
}

}  // namespace

TEST_CASE("a snapshot does not differ from itself, however it is matched") {
  for (const MatchMode mode : {MatchMode::Auto, MatchMode::ByAddress, MatchMode::ByIdentity}) {
    const SnapshotDiff diff = compare(rich_snapshot(), rich_snapshot(), {.match = mode, .ignore = {}});
    CHECK(count(diff, Change::Unchanged) == diff.changes.size());
    CHECK(diff.changes.size() == rich_snapshot().regions.size());
    CHECK(diff.notes.empty());
  }
}

TEST_CASE("page tables that one side does not tell of are left out of both, with a note") {
  const Snapshot with = rich_snapshot();
  Snapshot without = rich_snapshot();
  without.page_table = Bytes{};
  const SnapshotDiff diff = compare(with, without, {});
  REQUIRE(diff.notes.size() == 1);
  CHECK(diff.notes[0].code == "page_tables_left_out");
  CHECK(diff.base_totals.total.size == diff.now_totals.total.size);
  CHECK(diff.base_totals.total.size.known());
  CHECK(compare(without, without, {}).notes.empty());
}

TEST_CASE("every region stands in one change, deltas add up, and the changes make new out of base") {
  std::mt19937 random(20261121);
  for (int round = 0; round < 300; ++round) {
    const Snapshot base = random_snapshot(random, random() % 12), now = random_snapshot(random, random() % 12);
    for (const MatchMode mode : {MatchMode::ByAddress, MatchMode::ByIdentity}) {
      const SnapshotDiff diff = compare(base, now, {.match = mode, .ignore = {}});
      check_laws(diff);
      check_applied(base.regions, diff);
    }
    const SnapshotDiff self = compare(base, base, {.match = MatchMode::ByIdentity, .ignore = {}});
    REQUIRE(count(self, Change::Unchanged) == base.regions.size());
  }
}

TEST_CASE("the same base and type is the same region, grown or shrunk by its first figure that differs") {
  const Snapshot base =
      snapshot_of({named(RegionType::Heap, 0x10000, 4, "brk heap"), named(RegionType::PrivateData, 0x40000, 4, "")});
  Snapshot now =
      snapshot_of({named(RegionType::Heap, 0x10000, 9, "brk heap"), named(RegionType::PrivateData, 0x40000, 4, "")});
  now.regions[1].usage.total_ws = 0;
  now.regions[1].usage.private_ws = 0;
  now.regions[1].blocks[0].usage = now.regions[1].usage;
  const SnapshotDiff diff = compare(base, now, {});
  CHECK(diff.match == MatchMode::ByAddress);
  CHECK(only(diff, Change::Grown).now == std::vector<std::size_t>{0});
  CHECK(only(diff, Change::Shrunk).now == std::vector<std::size_t>{1});
}

TEST_CASE("a region that was cut in the middle is one split, not one removed and two added") {
  const Snapshot base = snapshot_of({named(RegionType::PrivateData, 0x10000, 16, "")});
  const Snapshot now = snapshot_of({named(RegionType::PrivateData, 0x10000, 4, ""),
                                    named(RegionType::Stack, 0x14000, 2, "Thread ID: 9 (w)"),
                                    named(RegionType::PrivateData, 0x18000, 8, "")});
  const SnapshotDiff diff = compare(base, now, {});
  CHECK(only(diff, Change::Split).now == std::vector<std::size_t>{0, 2});
  CHECK(only(diff, Change::Added).now == std::vector<std::size_t>{1});
  CHECK(diff.changes.size() == 2);
  const SnapshotDiff back = compare(now, base, {});
  CHECK(only(back, Change::Merged).base == std::vector<std::size_t>{0, 2});
  CHECK(only(back, Change::Removed).base == std::vector<std::size_t>{1});
}

TEST_CASE("a stack that grew downwards is the same stack") {
  const SnapshotDiff diff = compare(snapshot_of({named(RegionType::Stack, 0x20000, 4, "main thread")}),
                                    snapshot_of({named(RegionType::Stack, 0x1c000, 8, "main thread")}), {});
  CHECK(only(diff, Change::Grown).base.size() == 1);
  CHECK(diff.changes.size() == 1);
}

TEST_CASE("the same range with another type has changed; another file at another size has not grown") {
  const SnapshotDiff type = compare(snapshot_of({named(RegionType::PrivateData, 0x20000, 4, "")}),
                                    snapshot_of({named(RegionType::Heap, 0x20000, 4, "arena")}), {});
  CHECK(only(type, Change::Changed).fields.front() == "type");
  const SnapshotDiff file = compare(snapshot_of({named(RegionType::MappedFile, 0x20000, 4, "/a")}),
                                    snapshot_of({named(RegionType::MappedFile, 0x21000, 4, "/b")}), {});
  CHECK(count(file, Change::Added) == 1);
  CHECK(count(file, Change::Removed) == 1);
}

TEST_CASE("auto matches by identity when it is not the same process") {
  Snapshot base = snapshot_of({}), now = snapshot_of({});
  CHECK(compare(base, now, {}).match == MatchMode::ByAddress);
  now.target.started_at_unix_ms = 9'000'000;
  CHECK(compare(base, now, {}).match == MatchMode::ByIdentity);
  now.target.started_at_unix_ms.reset();
  CHECK(compare(base, now, {}).match == MatchMode::ByIdentity);
  now = snapshot_of({}, 8);
  CHECK(compare(base, now, {}).match == MatchMode::ByIdentity);
}

TEST_CASE("two runs are matched by paths, threads, order and distance, wherever things lie") {
  const auto run = [](Address code, Address libraries, std::uint32_t thread) {
    const std::string id = std::to_string(thread);
    return std::vector<Region>{named(RegionType::Image, code, 8, "/usr/bin/server", "elf_load"),
                               named(RegionType::Heap, code + 0x100000, 33, "brk heap", "brk_heap"),
                               named(RegionType::PrivateData, libraries - 0x90000, 16, ""),
                               named(RegionType::Stack, libraries - 0x60000, 8, "Thread ID: " + id + " (worker)"),
                               named(RegionType::MappedFile, libraries - 0x20000, 2, "/tmp/perf-" + id + "/data"),
                               named(RegionType::Image, libraries, 40, "/usr/lib/libc.so.6", "elf_load"),
                               named(RegionType::PrivateData, libraries + 0x90000, 3, "")};
  };
  const SnapshotDiff diff =
      compare(snapshot_of(run(0x550000000000, 0x7f1000000000, 101), 100),
              snapshot_of(run(0x560000123000, 0x7f2200045000, 201), 200), {.match = MatchMode::Auto, .ignore = {}});
  CHECK(diff.match == MatchMode::ByIdentity);
  CHECK(count(diff, Change::Added) == 0);
  CHECK(count(diff, Change::Removed) == 0);
  for (const RegionChange& change : diff.changes) {
    REQUIRE(change.base.size() == 1);
    CHECK(change.base == change.now);
  }
  CHECK(only(diff, Change::Changed).now == std::vector<std::size_t>{4});  // the name of the file
}

TEST_CASE("System V memory is the same in two runs whatever its key") {
  const auto run = [](const std::string& key, Address begin, std::uint32_t pid) {
    return snapshot_of({named(RegionType::Shareable, begin, 1, "/SYSV" + key + " (deleted)", "sysv_shm")}, pid);
  };
  const SnapshotDiff diff = compare(run("0052e2c1", 0x20000, 7), run("cafe0003", 0x60000, 8), {});
  CHECK(only(diff, Change::Changed).now == std::vector<std::size_t>{0});
}

TEST_CASE("private memory whose owner was found in one of two runs only is the same when nothing else is left over") {
  const auto run = [](const std::string& owner, Address begin, std::uint32_t pid) {
    return snapshot_of({named(RegionType::PrivateData, begin, 2, owner),
                        named(RegionType::PrivateData, begin + 0x10000, 2, "dynamic loader")},
                       pid);
  };
  const SnapshotDiff diff = compare(run("", 0x20000, 7), run("dynamic loader", 0x70000, 8), {});
  CHECK(count(diff, Change::Added) == 0);
  CHECK(count(diff, Change::Removed) == 0);
  CHECK(diff.changes.size() == 2);
}

TEST_CASE("ignored regions are counted, leave the sums, and do not become free") {
  const Snapshot base = snapshot_of({named(RegionType::MappedFile, 0x20000, 4, "/var/cache/data.bin"),
                                     named(RegionType::Heap, 0x40000, 4, "brk heap", "brk_heap")});
  const auto diff_without = [&](std::string_view pattern) {
    return compare(base, base, {.match = MatchMode::Auto, .ignore = {*parse_ignore_pattern(pattern)}});
  };
  for (const char* pattern : {"*.bin", "/var/cache/*", "type:mapped_file", "data.???"}) {
    const SnapshotDiff diff = diff_without(pattern);
    CHECK(diff.ignored[0].base == 1);
    CHECK(diff.ignored[0].now == 1);
    CHECK(diff.now_totals.total.size == Bytes{4 * page + 3 * page});
    CHECK(diff.now_totals.rows[static_cast<std::size_t>(RegionType::Free)].size ==
          summarize(base).rows[static_cast<std::size_t>(RegionType::Free)].size);
  }
  CHECK(diff_without("rule:brk_*").ignored[0].now == 1);
  CHECK(diff_without("data").ignored[0].now == 0);
  CHECK_FALSE(parse_ignore_pattern("type:pile"));
  CHECK_FALSE(parse_ignore_pattern("  "));
  CHECK(parse_ignore_file("# all\n\n *.so\r\ntype:heap")->size() == 2);
  CHECK_THAT(parse_ignore_file("a\ntype:x").error().message, Catch::Contains("line 2"));
}

TEST_CASE("globs take stars in linear time") {
  CHECK(glob_matches("*a*b", "xxaxxbxb"));
  CHECK_FALSE(glob_matches("a?c", "ac"));
  CHECK(glob_matches("", ""));
  CHECK(glob_matches("**", "anything"));
  CHECK_FALSE(glob_matches(std::string(40, '*') + "b", std::string(20000, 'a')));
}

TEST_CASE("what is unknown on one side is an unknown delta, and an unreadable map a note") {
  Snapshot now = snapshot_of({});
  now.regions_known = false;
  const SnapshotDiff diff = compare(snapshot_of({named(RegionType::Heap, 0x20000, 4, "h")}), now, {});
  REQUIRE(diff.notes.size() == 1);
  CHECK(diff.notes[0].code == "regions_unknown");
  CHECK_FALSE(difference(diff.base_totals.total.size, diff.now_totals.total.size));
}

TEST_CASE("what only one side knows is no change, and is told") {
  const Snapshot base =
      snapshot_of({named(RegionType::Image, 0x10000, 4, "/bin/a"), named(RegionType::Heap, 0x20000, 4, "brk heap")});
  Snapshot now = base;
  now.target.pid.reset();
  for (Region& region : now.regions) {
    region.rule = foreign_rule;
    region.build_id.clear();
    region.usage.swap = Bytes{};
    for (Block& block : region.blocks) block.usage.swap = Bytes{};
  }
  const SnapshotDiff diff = compare(base, now, {});
  CHECK(diff.match == MatchMode::ByAddress);
  for (const RegionChange& change : diff.changes) CHECK(change.change == Change::Alike);
  check_applied(base.regions, diff);
  REQUIRE(diff.notes.size() == 1);
  CHECK(diff.notes[0].code == "known_in_base_only");
  CHECK(diff.notes[0].message == "not compared, since only base knows it: swap");
  now.regions[1] = named(RegionType::Heap, 0x20000, 5, "brk heap", std::string(foreign_rule));
  CHECK(compare(base, now, {}).changes[1].change == Change::Grown);
}

TEST_CASE("other systems, word sizes and an order of time are told") {
  Snapshot base = snapshot_of({}), now = snapshot_of({});
  base.target.system = "linux";
  now.target.system = "windows";
  base.target.pointer_bits = 64;
  now.target.pointer_bits = 32;
  base.captured_at_unix_ms = 2;
  now.captured_at_unix_ms = 1;
  const SnapshotDiff diff = compare(base, now, {});
  REQUIRE(diff.notes.size() == 3);
  CHECK(diff.notes[0].code == "different_systems");
  CHECK(diff.notes[1].code == "different_word_sizes");
  CHECK(diff.notes[2].code == "reversed");
}
