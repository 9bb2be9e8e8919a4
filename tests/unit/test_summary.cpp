#include <catch2/catch.hpp>

#include "libvmscan/model/laws.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

const TypeTotal& row(const Summary& summary, RegionType type) { return summary.rows[static_cast<std::size_t>(type)]; }

}  // namespace

TEST_CASE("a row of the summary is the sum of its regions") {
  const Summary summary = summarize(rich_snapshot());
  const TypeTotal& heap = row(summary, RegionType::Heap);
  CHECK(heap.size == Bytes{0x22000});
  CHECK(heap.usage == usage_of(0x22000, 0x22000, 0x5000, 0x1000, 0x1000));
  CHECK(heap.regions == Bytes{2});
  CHECK(heap.blocks == Bytes{2});
  CHECK(heap.largest == Bytes{0x21000});
  CHECK(row(summary, RegionType::Image).blocks == Bytes{2});
}

TEST_CASE("page tables are committed and private but not in the working set") {
  const Summary summary = summarize(rich_snapshot());
  const TypeTotal& page_table = row(summary, RegionType::PageTable);
  CHECK(page_table.size == Bytes{0x3000});
  CHECK(page_table.usage.committed == Bytes{0x3000});
  CHECK(page_table.usage.private_bytes == Bytes{0x3000});
  CHECK(page_table.usage.total_ws == Bytes{0});
  CHECK(page_table.regions == Bytes{0});
  CHECK(page_table.largest == Bytes{0x3000});
}

TEST_CASE("the total is the sum of all rows but Free") {
  const Summary summary = summarize(rich_snapshot());
  CHECK(summary.total.size == Bytes{0x10000 + 0x4000 + 0x22000 + 0x10000 + 0x3000});
  CHECK(summary.total.usage.total_ws == Bytes{0x4000 + 0x6000 + 0x2000});
  CHECK(summary.total.regions == Bytes{5});
  CHECK(summary.total.blocks == Bytes{7});
  CHECK(summary.total.largest == Bytes{0x21000});
}

TEST_CASE("Free is what no region covers of the address space") {
  const Snapshot snapshot = rich_snapshot();
  const TypeTotal free = row(summarize(snapshot), RegionType::Free);
  CHECK(free.size == Bytes{0x7ffffffff000 - (0x10000 + 0x4000 + 0x22000 + 0x10000)});
  CHECK(free.regions == Bytes{5});
  CHECK(free.largest == Bytes{0x7ffffffd0000 - 0x601000});
  CHECK(free.usage.total_ws == Bytes{0});
  const std::vector<Region> holes = free_regions(snapshot);
  REQUIRE(holes.size() == 5);
  CHECK(holes.front().range == Range{0x10000, 0x400000});
  CHECK(holes.back().range == Range{0x7ffffffe0000, 0x7ffffffff000});
}

TEST_CASE("a region outside of the address space leaves the holes inside alone") {
  Snapshot snapshot;
  snapshot.address_space = Range{0x1000, 0x9000};
  snapshot.regions.push_back(region_of(RegionType::PrivateData, 0x8000, 0x4000, usage_of(0, 0, 0, 0, 0)));
  snapshot.regions.push_back(region_of(RegionType::Image, 0xffffffffff600000, 0x1000, usage_of(0, 0, 0, 0, 0)));
  REQUIRE(free_regions(snapshot).size() == 1);
  CHECK(free_regions(snapshot)[0].range == Range{0x1000, 0x8000});
}

TEST_CASE("Free is unknown without the address space") {
  Snapshot snapshot = rich_snapshot();
  snapshot.address_space.reset();
  const TypeTotal free = row(summarize(snapshot), RegionType::Free);
  CHECK_FALSE(free.size.known());
  CHECK_FALSE(free.usage.committed.known());
  CHECK_FALSE(free.regions.known());
  CHECK(free_regions(snapshot).empty());
}

TEST_CASE("a type without regions uses nothing, but smaps columns are not known where nobody asked") {
  Snapshot snapshot = rich_snapshot();
  const TypeTotal managed = row(summarize(snapshot), RegionType::ManagedHeap);
  CHECK(managed.size == Bytes{0});
  CHECK(managed.usage.total_ws == Bytes{0});
  CHECK(managed.largest == Bytes{0});
  CHECK_FALSE(managed.usage.pss.known());

  for (Region& region : snapshot.regions) region.usage.pss = region.blocks[0].usage.pss = 0;
  CHECK(row(summarize(snapshot), RegionType::ManagedHeap).usage.pss == Bytes{0});
  CHECK(row(summarize(snapshot), RegionType::PageTable).usage.pss == Bytes{0});
  CHECK(summarize(snapshot).total.usage.pss == Bytes{0});

  snapshot.regions.clear();
  CHECK_FALSE(row(summarize(snapshot), RegionType::ManagedHeap).usage.pss.known());
}

TEST_CASE("page tables that nobody knows have no row, and the total is the sum of the rows that are there") {
  Snapshot snapshot = rich_snapshot();
  const Summary with = summarize(snapshot);
  snapshot.page_table = Bytes{};
  const Summary without = summarize(snapshot);
  CHECK_FALSE(row(without, RegionType::PageTable).has_row());
  CHECK(row(without, RegionType::Heap).has_row());
  CHECK(without.total.size == Bytes{*with.total.size - 0x3000});
  CHECK(without.total.usage.committed == Bytes{*with.total.usage.committed - 0x3000});
  CHECK(without.total.usage.private_bytes == Bytes{*with.total.usage.private_bytes - 0x3000});
  CHECK(without.total.usage.total_ws == Bytes{0xc000});
  CHECK(broken_laws(snapshot).empty());

  Summary both = with;
  both += without;
  CHECK_FALSE(row(both, RegionType::PageTable).has_row());
  CHECK(both.total.size == Bytes{2 * *without.total.size});
}

TEST_CASE("a region that does not know a column makes its row and the total unknown") {
  Snapshot snapshot = rich_snapshot();
  snapshot.regions[2].usage.total_ws = Bytes{};
  const Summary summary = summarize(snapshot);
  CHECK_FALSE(row(summary, RegionType::Heap).usage.total_ws.known());
  CHECK_FALSE(summary.total.usage.total_ws.known());
  CHECK(row(summary, RegionType::Image).usage.total_ws.known());
}

TEST_CASE("without the map everything but the page tables is unknown") {
  Snapshot snapshot;
  snapshot.regions_known = false;
  snapshot.page_table = 0x1000;
  snapshot.kernel.vm_size = 0x8000;
  snapshot.kernel.rss = 0x3000;
  snapshot.kernel.hugetlb = 0x200000;
  snapshot.kernel.swap = 0x4000;
  const Summary summary = summarize(snapshot);
  CHECK_FALSE(summary.total.size.known());
  CHECK_FALSE(summary.total.usage.total_ws.known());
  CHECK_FALSE(summary.total.usage.swap.known());
  CHECK_FALSE(summary.total.usage.private_ws.known());
  CHECK_FALSE(summary.total.blocks.known());
  CHECK_FALSE(row(summary, RegionType::Image).size.known());
  CHECK(row(summary, RegionType::PageTable).size == Bytes{0x1000});
  CHECK_FALSE(row(summary, RegionType::Free).size.known());
  CHECK(broken_laws(snapshot).empty());
}
