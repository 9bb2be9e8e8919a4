#include <algorithm>

#include "libvmscan/model/snapshot.h"

namespace vmscan {
namespace {

std::size_t index_of(RegionType type) { return static_cast<std::size_t>(type); }

/// Calls `visit` for every hole between the regions inside the address space, in address order.
template <class Visit>
void for_each_hole(const Snapshot& snapshot, Visit visit) {
  if (!snapshot.address_space || !snapshot.regions_known) return;
  Range rest = *snapshot.address_space;
  for (const Region& region : snapshot.regions) {
    if (region.range.begin > rest.begin) {
      const Range hole{rest.begin, std::min(region.range.begin, rest.end)};
      if (!hole.empty()) visit(hole);
    }
    rest.begin = std::max(rest.begin, region.range.end);
  }
  if (!rest.empty()) visit(rest);
}

/// What a type without regions uses: nothing. But where smaps was not asked, even that was not asked.
Usage usage_of_nothing(const Snapshot& snapshot) {
  Usage usage = Usage::zero();
  for (const UsageColumn& column : usage_columns) {
    if (!column.from_smaps) continue;
    const bool known = std::all_of(snapshot.regions.begin(), snapshot.regions.end(),
                                   [&column](const Region& region) { return (region.usage.*column.member).known(); });
    if (!known || snapshot.regions.empty()) usage.*column.member = Bytes{};
  }
  return usage;
}

void add_region(TypeTotal& row, const Region& region) {
  if (*row.regions == 0) row.usage = Usage::zero();  // the columns of smaps are as known as they are in the region
  const std::uint64_t size = region.range.size();
  row.size += size;
  row.usage += region.usage;
  row.regions += 1;
  row.blocks += region.blocks.size();
  row.largest = std::max(*row.largest, size);
}

void fill_page_table(TypeTotal& row, Bytes page_table, const Usage& nothing) {
  row.size = page_table;
  row.usage = nothing;
  row.usage.committed = page_table;
  row.usage.private_bytes = page_table;
  row.regions = 0;
  row.blocks = 0;
  row.largest = page_table;
}

void fill_free(TypeTotal& row, const Snapshot& snapshot, const Usage& nothing) {
  row = TypeTotal{};
  row.type = RegionType::Free;
  if (!snapshot.address_space) return;
  row = {.type = RegionType::Free, .size = 0, .usage = nothing, .regions = 0, .blocks = 0, .largest = 0};
  for_each_hole(snapshot, [&row](Range hole) {
    row.size += hole.size();
    row.regions += 1;
    row.blocks += 1;
    row.largest = std::max(*row.largest, hole.size());
  });
}

Bytes largest_of(Bytes a, Bytes b) { return a && b ? Bytes{std::max(*a, *b)} : Bytes{}; }

void fill_total(Summary& summary) {
  TypeTotal& total = summary.total;
  total = {.size = 0, .usage = Usage::zero(), .regions = 0, .blocks = 0, .largest = 0};
  for (const TypeTotal& row : summary.rows) {
    if (row.type == RegionType::Free || !row.has_row()) continue;
    total.size += row.size;
    total.usage += row.usage;
    total.regions += row.regions;
    total.blocks += row.blocks;
    if (row.type != RegionType::PageTable) total.largest = largest_of(total.largest, row.largest);
  }
}

}  // namespace

Summary summarize(const Snapshot& snapshot) {
  Summary summary;
  summary.heap = snapshot.heap;
  summary.heap_shortfalls = snapshot.heap_shortfalls;
  for (const RegionTypeName& entry : region_types) summary.rows[index_of(entry.type)].type = entry.type;
  TypeTotal& page_table = summary.rows[index_of(RegionType::PageTable)];
  const Usage nothing = usage_of_nothing(snapshot);
  if (!snapshot.regions_known) {
    fill_page_table(page_table, snapshot.page_table, nothing);
    summary.total = TypeTotal{};
    return summary;
  }
  for (TypeTotal& row : summary.rows) {
    row = {.type = row.type, .size = 0, .usage = nothing, .regions = 0, .blocks = 0, .largest = 0};
  }
  for (const Region& region : snapshot.regions) add_region(summary.rows[index_of(region.type)], region);
  fill_page_table(page_table, snapshot.page_table, nothing);
  fill_free(summary.rows[index_of(RegionType::Free)], snapshot, nothing);
  fill_total(summary);
  return summary;
}

Summary& Summary::operator+=(const Summary& other) {
  const auto add = [](TypeTotal& to, const TypeTotal& from) {
    to.size += from.size;
    to.usage += from.usage;
    to.regions += from.regions;
    to.blocks += from.blocks;
    to.largest = largest_of(to.largest, from.largest);
  };
  for (std::size_t i = 0; i < rows.size(); ++i) add(rows[i], other.rows[i]);
  fill_total(*this);
  heap = nullptr;
  heap_shortfalls.insert(heap_shortfalls.end(), other.heap_shortfalls.begin(), other.heap_shortfalls.end());
  return *this;
}

std::vector<Region> free_regions(const Snapshot& snapshot) {
  std::vector<Region> holes;
  const Usage nothing = usage_of_nothing(snapshot);
  for_each_hole(snapshot, [&](Range hole) {
    Region region;
    region.range = hole;
    region.type = RegionType::Free;
    region.rule = "free";
    region.usage = nothing;
    region.blocks.push_back({.range = hole, .state = State::Free, .protection = {}, .usage = nothing, .details = {}});
    holes.push_back(std::move(region));
  });
  return holes;
}

}  // namespace vmscan
