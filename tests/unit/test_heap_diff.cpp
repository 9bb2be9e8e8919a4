// Sums of heaps in snapshots: saved and read back, compared, and judged by a gate.
#include <catch2/catch.hpp>

#include "formats/native/snapshot_json.h"
#include "libvmscan/diff/snapshot_diff.h"
#include "libvmscan/diff/verdict.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

HeapTotals heap_of(std::string name, std::uint64_t blocks, std::uint64_t bytes) {
  HeapTotals heap{.allocator = "glibc", .name = std::move(name), .ranges = {}, .in_ram = 8192};
  heap.live = {blocks, bytes};
  heap.cached = {1, 32};
  heap.free = {2, 1000};
  heap.top = 500;
  heap.largest_free = 700;
  heap.overhead = 100;
  heap.unread = 12;
  heap.size = bytes + 32 + 1000 + 100 + 12;
  return heap;
}

SizeTotals blocks_of(std::uint64_t size, std::uint64_t live) {
  return {.size = size,
          .least_request = size - 23,
          .most_request = size - 8,
          .live = {live, live * size},
          .cached = {1, size},
          .free = {}};
}

Snapshot with_heap(std::uint64_t sessions, std::uint64_t others, std::vector<std::string> heaps) {
  Snapshot snapshot = rich_snapshot();
  auto contents = std::make_shared<HeapContents>();
  for (std::string& name : heaps) contents->heaps.push_back(heap_of(std::move(name), sessions, sessions * 64));
  contents->heaps.push_back(heap_of("mapped blocks", others, others * 4096));
  contents->sizes = {blocks_of(64, sessions * heaps.size()), blocks_of(4096, others)};
  snapshot.heap = std::move(contents);
  snapshot.heap_shortfalls.clear();
  return snapshot;
}

Verdict judged(std::string_view condition, const Snapshot& base, const Snapshot& now) {
  return judge(*parse_condition(condition), summarize(base), summarize(now));
}

}  // namespace

TEST_CASE("what a snapshot keeps of the heaps is read back as it was") {
  const std::string text = formats::write_snapshot(with_heap(10, 3, {"main arena"}));
  const auto again = formats::read_snapshot(text);
  REQUIRE(again);
  REQUIRE(again->heap);
  CHECK(again->heap->heaps.size() == 2);
  CHECK(again->heap->total().size == 10 * 64 + 3 * 4096 + 2 * 1144);
  CHECK(formats::write_snapshot(*again) == text);
  CHECK(formats::read_snapshot(formats::write_snapshot(rich_snapshot()))->heap == nullptr);
}

TEST_CASE("sums of a heap that disagree get a note") {
  std::string text = formats::write_snapshot(with_heap(10, 3, {"main arena"}));
  const std::string_view overhead = "\"overhead\":100";
  text.replace(text.find(overhead), overhead.size(), "\"overhead\":101");
  const auto snapshot = formats::read_snapshot(text);
  REQUIRE(snapshot);
  CHECK(snapshot->notes.back().code == "inconsistent");
}

TEST_CASE("heaps are compared by name, blocks by size, the largest growth first") {
  const SnapshotDiff diff = compare(with_heap(10, 3, {"main arena"}), with_heap(40, 2, {"main arena", "arena 1"}), {});
  REQUIRE(diff.heap);
  REQUIRE(diff.heap->heaps.size() == 3);
  CHECK(diff.heap->heaps[0].base.live.blocks == 10);
  CHECK(diff.heap->heaps[0].now.live.blocks == 40);
  CHECK(diff.heap->heaps[1].name == "arena 1");
  CHECK(diff.heap->heaps[1].base.live.blocks == 0);
  REQUIRE(diff.heap->sizes.size() == 2);
  CHECK(diff.heap->sizes[0].now.size == 64);
  CHECK(diff.heap->sizes[0].live_growth() == 70 * 64);
  CHECK(diff.heap->sizes[1].live_growth() == -4096);
  CHECK(compare(with_heap(10, 3, {"a"}), with_heap(10, 3, {"a"}), {}).heap->sizes.empty());
}

TEST_CASE("gates see live bytes and blocks, of all heaps or of one size; unknown without heaps") {
  const Snapshot base = with_heap(10, 3, {"main arena"}), now = with_heap(40, 3, {"main arena"});
  CHECK(judged("heap.live > +1919", base, now).outcome == Verdict::Outcome::Tripped);
  CHECK(judged("heap.live > +1920", base, now).outcome == Verdict::Outcome::Passed);
  CHECK(judged("heap.live_blocks > +29", base, now).outcome == Verdict::Outcome::Tripped);
  CHECK(judged("heap.live[48] > +1919", base, now).outcome == Verdict::Outcome::Tripped);  // 41 to 56 bytes get 64
  CHECK(judged("heap.live_blocks[57] > +0", base, now).now == Bytes{0});
  const Verdict unknown = judged("heap.live > +1", rich_snapshot(), now);
  CHECK(unknown.outcome == Verdict::Outcome::Unknown);
  CHECK_THAT(unknown.reason, Catch::Contains("the base") && Catch::Contains("--heap"));
  CHECK(compare(rich_snapshot(), now, {}).notes.back().code == "heap_one_side");
}
