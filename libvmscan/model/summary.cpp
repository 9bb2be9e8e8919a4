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

void fill_page_table(TypeTotal& row, Bytes page_table, const Usage& nothing) {
  row.size = page_table;
  row.usage = nothing;
  row.usage.committed = page_table;
  row.usage.private_bytes = page_table;
  row.regions = 0;
  row.blocks = 0;
  row.largest = page_table;
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

Summarizer::Summarizer(std::optional<Range> address_space) : rest_(address_space), nothing_(Usage::zero()) {
  for (const RegionTypeName& entry : region_types)
    rows_[index_of(entry.type)] = {
        .type = entry.type, .size = 0, .usage = Usage::zero(), .regions = 0, .blocks = 0, .largest = 0};
}

void Summarizer::add_hole(Range hole) {
  if (hole.empty()) return;
  TypeTotal& row = rows_[index_of(RegionType::Free)];
  row.size += hole.size();
  row.regions += 1;
  row.blocks += 1;
  row.largest = std::max(*row.largest, hole.size());
}

void Summarizer::add(Range range, RegionType type, const Usage& usage, std::uint64_t blocks) {
  TypeTotal& row = rows_[index_of(type)];
  row.size += range.size();
  row.usage += usage;
  row.regions += 1;
  row.blocks += blocks;
  row.largest = std::max(*row.largest, range.size());
  any_ = true;
  for (const UsageColumn& column : usage_columns)
    if (column.from_smaps && !(usage.*column.member).known()) nothing_.*column.member = Bytes{};
  if (!rest_) return;
  if (range.begin > rest_->begin) add_hole({rest_->begin, std::min(range.begin, rest_->end)});
  rest_->begin = std::max(rest_->begin, range.end);
}

Summary Summarizer::finish(Bytes page_table) {
  if (rest_) add_hole(*rest_);
  for (const UsageColumn& column : usage_columns)
    if (column.from_smaps && !any_) nothing_.*column.member = Bytes{};
  for (TypeTotal& row : rows_)
    if (*row.regions == 0 || row.type == RegionType::Free) row.usage = nothing_;
  if (!rest_) {
    rows_[index_of(RegionType::Free)] = TypeTotal{};
    rows_[index_of(RegionType::Free)].type = RegionType::Free;
  }
  fill_page_table(rows_[index_of(RegionType::PageTable)], page_table, nothing_);
  Summary summary;
  summary.rows = rows_;
  fill_total(summary);
  return summary;
}

namespace {

/// Where no map could be read.
Summary page_tables_alone(const Snapshot& snapshot) {
  Summary summary;
  for (const RegionTypeName& entry : region_types) summary.rows[index_of(entry.type)].type = entry.type;
  fill_page_table(summary.rows[index_of(RegionType::PageTable)], snapshot.page_table, usage_of_nothing(snapshot));
  summary.total = TypeTotal{};
  return summary;
}

Summary sums_of(const Snapshot& snapshot) {
  if (snapshot.sums != nullptr) return *snapshot.sums;
  if (!snapshot.regions_known) return page_tables_alone(snapshot);
  Summarizer sums(snapshot.address_space);
  for (const Region& region : snapshot.regions) sums.add(region.range, region.type, region.usage, region.blocks.size());
  return sums.finish(snapshot.page_table);
}

}  // namespace

Summary summarize(const Snapshot& snapshot) {
  Summary summary = sums_of(snapshot);
  summary.heap = snapshot.heap;
  summary.heap_shortfalls = snapshot.heap_shortfalls;
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
