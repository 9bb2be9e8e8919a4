// Sorted lists of things that each have a range of addresses (a member `range`).
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "libvmscan/base/range.h"

namespace vmscan {

/// The first item that ends behind the address, of items that are sorted and do not overlap.
template <class Item>
auto first_behind(const std::vector<Item>& items, Address address) {
  return std::partition_point(items.begin(), items.end(), [&](const Item& item) { return item.range.end <= address; });
}

/// The item that holds the address, of items that are sorted and do not overlap; null when none does.
template <class Item>
const Item* item_at(const std::vector<Item>& items, Address address) {
  const auto at = first_behind(items, address);
  return at != items.end() && at->range.contains(address) ? &*at : nullptr;
}

/// Sorts, and cuts what overlaps: what begins first keeps its bytes (of two that begin together, the longer one).
/// `drop_front(item, bytes)` is told what an item loses at its front, before its range is cut. Returns how many were.
template <class Item, class DropFront>
std::size_t untangle(std::vector<Item>& items, DropFront drop_front) {
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.range.begin != b.range.begin ? a.range.begin < b.range.begin : a.range.end > b.range.end;
  });
  std::size_t cut = 0;
  Address end = 0;
  for (Item& item : items) {
    if (item.range.begin < end) {
      ++cut;
      const Address begin = std::min(end, item.range.end);
      drop_front(item, begin - item.range.begin);
      item.range.begin = begin;
    }
    end = std::max(end, item.range.end);
  }
  std::erase_if(items, [](const Item& item) { return item.range.empty(); });
  return cut;
}

}  // namespace vmscan
