#include "libvmscan/diff/heap_diff.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace vmscan {
namespace {

HeapTotals nothing() { return {.allocator = {}, .name = {}, .ranges = {}, .in_ram = 0}; }

bool same_heap(const HeapChange& change, const HeapTotals& heap) {
  return change.allocator == heap.allocator && change.name == heap.name;
}

std::vector<HeapChange> pair_heaps(const std::vector<HeapTotals>& base, const std::vector<HeapTotals>& now) {
  std::vector<HeapChange> changes;
  for (const HeapTotals& heap : now) changes.push_back({heap.allocator, heap.name, nothing(), heap});
  for (const HeapTotals& heap : base) {
    const auto found = std::find_if(changes.begin(), changes.end(), [&](const auto& c) { return same_heap(c, heap); });
    if (found == changes.end())
      changes.push_back({heap.allocator, heap.name, heap, nothing()});
    else
      found->base += heap;
  }
  return changes;
}

template <class Changes>
void sort_by_growth(Changes& changes) {
  std::stable_sort(changes.begin(), changes.end(),
                   [](const auto& a, const auto& b) { return a.live_growth() > b.live_growth(); });
}

std::vector<SizeChange> pair_sizes(const std::vector<SizeTotals>& base, const std::vector<SizeTotals>& now) {
  using Key = std::tuple<std::string, std::uint64_t, std::uint64_t, std::uint64_t>;
  std::map<Key, SizeChange> pairs;
  const auto pair_of = [&](const SizeTotals& size) -> SizeChange& {
    auto& pair = pairs[{size.allocator, size.size, size.least_request, size.most_request}];
    for (SizeTotals* side : {&pair.base, &pair.now}) {
      side->allocator = size.allocator;
      side->size = size.size;
      side->least_request = size.least_request;
      side->most_request = size.most_request;
    }
    return pair;
  };
  for (const SizeTotals& size : base) pair_of(size).base = size;
  for (const SizeTotals& size : now) pair_of(size).now = size;
  std::vector<SizeChange> changes;
  for (const auto& [key, pair] : pairs)
    if (pair.base.live != pair.now.live) changes.push_back(pair);
  sort_by_growth(changes);
  return changes;
}

std::vector<TypeChange> pair_types(const std::vector<ObjectTotals>& base, const std::vector<ObjectTotals>& now) {
  std::map<std::pair<std::string, std::string>, std::pair<BlockSum, BlockSum>> pairs;
  for (const ObjectTotals& type : base) pairs[{type.name, type.image}].first += type.live;
  for (const ObjectTotals& type : now) pairs[{type.name, type.image}].second += type.live;
  std::vector<TypeChange> changes;
  for (const auto& [key, sums] : pairs)
    if (sums.first != sums.second) changes.push_back({key.first, key.second, sums.first, sums.second});
  sort_by_growth(changes);
  return changes;
}

}  // namespace

HeapDiff compare_heaps(const HeapContents& base, const HeapContents& now) {
  return {.heaps = pair_heaps(base.heaps, now.heaps),
          .base_total = base.total(),
          .now_total = now.total(),
          .sizes = pair_sizes(base.sizes, now.sizes),
          .types = pair_types(base.types, now.types)};
}

}  // namespace vmscan
