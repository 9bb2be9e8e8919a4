// From the rows of a file of VMMap to a snapshot.
#include <fmt/format.h>

#include <algorithm>

#include "formats/views/text.h"
#include "formats/vmmap/vmmap_table.h"
#include "libvmscan/model/laws.h"

namespace vmscan::formats {
namespace {

constexpr std::uint64_t kib = 1024;

State state_of(const VmmapRow& row) {
  if (row.type == RegionType::Free) return State::Free;
  if (row.reserved) return State::Reserved;
  const bool accessible = row.protection && *row.protection != Protection{};
  const bool partly = row.usage.committed && *row.usage.committed < row.size;
  return !accessible && partly ? State::Reserved : State::Committed;
}

Block block_of(const VmmapRow& row, Range range) {
  return {.range = range,
          .state = state_of(row),
          .protection = row.reserved ? std::nullopt : row.protection,
          .usage = row.usage,
          .details = row.is_block ? row.details : std::string()};
}

/// A region's row and the rows of its blocks.
struct Group {
  const VmmapRow* row = nullptr;
  std::vector<const VmmapRow*> blocks;
};

class SnapshotMaker {
 public:
  explicit SnapshotMaker(VmmapTable table) : table_(std::move(table)) {}

  Snapshot make() {
    fill_head();
    for (const Group& group : sorted_groups()) add(group);
    if (has_free_) snapshot_.address_space = space_;
    compare_with_summary();
    for (Note& note : table_.oddities.notes()) snapshot_.notes.push_back(std::move(note));
    return std::move(snapshot_);
  }

 private:
  void fill_head() {
    snapshot_.target.name = table_.process;
    snapshot_.target.pid = table_.pid;
    snapshot_.target.pointer_bits = table_.pointer_bits;
    if (folded_name(table_.process).ends_with(".exe")) snapshot_.target.system = "windows";
    snapshot_.captured_at_unix_ms = table_.captured_at_unix_ms;
    snapshot_.page_table = table_.page_table;
  }

  std::vector<Group> sorted_groups() {
    std::vector<Group> groups;
    for (const VmmapRow& row : table_.rows) {
      if (!row.is_block) {
        groups.push_back({&row, {}});
      } else if (groups.empty()) {
        table_.oddities.add("bad_row", fmt::format("the block at {:#x} belongs to no region", row.address));
      } else {
        groups.back().blocks.push_back(&row);
      }
    }
    std::stable_sort(groups.begin(), groups.end(),
                     [](const Group& a, const Group& b) { return a.row->address < b.row->address; });
    return groups;
  }

  void add(const Group& group) {
    const VmmapRow& row = *group.row;
    if (row.type == RegionType::PageTable) {
      page_table_ += row.size;
      if (!table_.page_table) snapshot_.page_table = page_table_;
      return;
    }
    const auto range = Range::make(row.address, row.size);
    if (!range || range->empty())
      return table_.oddities.add("bad_row", fmt::format("the region at {:#x} has no end", row.address));
    if (row.address < end_)
      return table_.oddities.add(
          "overlapping_regions",
          fmt::format("the region at {:#x} begins inside the one before it and was left out", row.address));
    end_ = range->end;
    space_ = snapshot_.regions.empty() && !has_free_ ? *range : Range{space_.begin, range->end};
    counted_[static_cast<std::size_t>(row.type)] += row.size;
    ++rows_[static_cast<std::size_t>(row.type)];
    if (row.type == RegionType::Free) {
      has_free_ = true;
    } else {
      add_region(group, *range);
    }
  }

  void add_region(const Group& group, Range range) {
    const VmmapRow& row = *group.row;
    Region region;
    region.range = range;
    region.type = row.type;
    region.rule = foreign_rule;
    region.details = row.details;
    if (row.type_text != vmmap_title(row.type)) region.evidence = row.type_text;
    region.blocks = blocks_of(group, range);
    region.usage = Usage{};
    const Block* first = &region.blocks.front();
    for (const Block& block : region.blocks) {
      if (&block == first)
        region.usage = block.usage;
      else
        region.usage += block.usage;
    }
    if (const std::string broken = broken_usage(region); !broken.empty()) table_.oddities.add("inconsistent", broken);
    snapshot_.regions.push_back(std::move(region));
  }

  /// Sizes in the CSV are whole KB, so that a block may seem to end up to a KB before the next.
  std::vector<Block> blocks_of(const Group& group, Range range) {
    std::vector<Block> blocks;
    Address at = range.begin;
    bool covers = !group.blocks.empty() && group.blocks.front()->address == range.begin;
    for (std::size_t i = 0; covers && i < group.blocks.size(); ++i) {
      const VmmapRow& row = *group.blocks[i];
      const bool last = i + 1 == group.blocks.size();
      const Address end = last ? range.end : group.blocks[i + 1]->address;
      covers = row.address == at && end > at && end <= range.end && row.size <= end - at && end - at - row.size < kib;
      if (covers) blocks.push_back(block_of(row, {at, end}));
      at = end;
    }
    if (covers) return blocks;
    table_.oddities.add(
        "missing_blocks",
        fmt::format("the blocks of the region at {:#x} do not cover it; it counts as one block", range.begin));
    return {block_of(*group.row, range)};
  }

  /// A table that was cut at the end of a row shows only here.
  void compare_with_summary() {
    for (const TypeTotal& row : table_.summary) {
      const std::size_t i = static_cast<std::size_t>(row.type);
      const bool unlisted = rows_[i] == 0 && (row.type == RegionType::Free || row.type == RegionType::Unusable);
      if (!row.size || row.type == RegionType::PageTable || unlisted) continue;
      const std::uint64_t sum = *counted_[i], most = (rows_[i] + 1) * kib;
      const std::uint64_t differs = sum > *row.size ? sum - *row.size : *row.size - sum;
      if (differs >= most)
        table_.oddities.add("summary_differs",
                            fmt::format("{}: the regions add up to {} bytes, the summary says {}: the table may be cut",
                                        title_of(row.type), sum, *row.size));
    }
  }

  VmmapTable table_;
  Snapshot snapshot_;
  Address end_ = 0;
  Range space_;
  bool has_free_ = false;
  Bytes page_table_ = 0;
  std::array<Bytes, region_types.size()> counted_ = filled();
  std::array<std::uint64_t, region_types.size()> rows_{};

  static std::array<Bytes, region_types.size()> filled() {
    std::array<Bytes, region_types.size()> zeros;
    zeros.fill(0);
    return zeros;
  }
};

}  // namespace

Snapshot snapshot_of(VmmapTable table) { return SnapshotMaker(std::move(table)).make(); }

}  // namespace vmscan::formats
