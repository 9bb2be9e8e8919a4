#include "libvmscan/heap/noted_links.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace vmscan {
namespace {

constexpr std::size_t most_links = 3 << 19;
constexpr std::uint64_t unit = 8;  // chunks are aligned to it

}  // namespace

void NotedLinks::begin_heap(Range heap) {
  heaps_.push_back({.range = heap, .begin = links_.size(), .end = links_.size()});
}

void NotedLinks::add(const PossibleLink& link) {
  const std::uint64_t place = (link.chunk - heaps_.back().range.begin) / unit, size = link.size / unit;
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  if (links_.size() >= most_links || place > most || size > most) return;
  links_.push_back({link.next, static_cast<std::uint32_t>(place), static_cast<std::uint32_t>(size)});
  heaps_.back().end = links_.size();
}

void NotedLinks::keep_heaps(std::size_t count) {
  if (count >= heaps_.size()) return;
  links_.resize(heaps_[count].begin);
  heaps_.resize(count);
}

void NotedLinks::finish() {
  std::sort(heaps_.begin(), heaps_.end(), [](const Heap& a, const Heap& b) { return a.range.begin < b.range.begin; });
  for (Heap& heap : heaps_) make_buckets(heap);
}

/// About as many buckets as links, so that one holds few.
void NotedLinks::make_buckets(Heap& heap) const {
  const std::size_t count = heap.end - heap.begin;
  if (count == 0) return;
  const std::uint64_t places = std::uint64_t{links_[heap.end - 1].place} + 1;
  heap.shift = static_cast<unsigned>(std::bit_width(places / count));
  heap.first.assign(static_cast<std::size_t>(places >> heap.shift) + 2, static_cast<std::uint32_t>(heap.end));
  for (std::size_t i = heap.end; i-- > heap.begin;)
    heap.first[links_[i].place >> heap.shift] = static_cast<std::uint32_t>(i);
  for (std::size_t bucket = heap.first.size() - 1; bucket-- > 0;)
    heap.first[bucket] = std::min(heap.first[bucket], heap.first[bucket + 1]);
}

std::optional<PossibleLink> NotedLinks::find(Address chunk) const {
  const auto heap =
      std::partition_point(heaps_.begin(), heaps_.end(), [&](const Heap& each) { return each.range.end <= chunk; });
  if (heap == heaps_.end() || !heap->range.contains(chunk) || (chunk - heap->range.begin) % unit != 0)
    return std::nullopt;
  const std::uint64_t place = (chunk - heap->range.begin) / unit, bucket = place >> heap->shift;
  if (heap->first.empty() || bucket >= heap->first.size() - 1) return std::nullopt;
  for (std::size_t i = heap->first[bucket]; i < heap->first[bucket + 1]; ++i)
    if (links_[i].place == place) return PossibleLink{chunk, links_[i].size * unit, links_[i].next};
  return std::nullopt;
}

}  // namespace vmscan
