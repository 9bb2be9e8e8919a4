// Cells of the two views, and their order.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "formats/views/views.h"

namespace vmscan::formats {

Cell cell_of(const TypeTotal& row, const Column& column);
Cell cell_of(const Region& region, const Column& column);
Cell cell_of(const Region& region, const Block& block, const Column& column);

/// As tables show it: "Reserved" when all of it is, empty when it is unknown.
std::string protection_text(const Region& region);

/// Whether `a` stands before `b`; unknown and empty stand last in both directions.
bool stands_before(const Cell& a, const Cell& b, const Column& column, bool descending);

/// Sorts stably, then keeps the first rows.
template <class Item>
void sort_and_cut(std::vector<const Item*>& items, const ViewOptions& options) {
  if (options.sort.column != nullptr) {
    const Column& column = *options.sort.column;
    std::vector<std::pair<Cell, const Item*>> keyed;
    keyed.reserve(items.size());
    for (const Item* item : items) keyed.emplace_back(cell_of(*item, column), item);
    std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
      return stands_before(a.first, b.first, column, options.sort.descending);
    });
    std::transform(keyed.begin(), keyed.end(), items.begin(), [](const auto& pair) { return pair.second; });
  }
  if (options.top && items.size() > *options.top) items.resize(*options.top);
}

/// Whether --type asks for it, or nothing is asked for.
inline bool is_wanted(RegionType type, const ViewOptions& options) {
  return options.types.empty() || std::find(options.types.begin(), options.types.end(), type) != options.types.end();
}

}  // namespace vmscan::formats
