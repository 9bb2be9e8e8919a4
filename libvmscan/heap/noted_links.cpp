#include "libvmscan/heap/noted_links.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <span>

namespace vmscan {
namespace {

constexpr std::size_t most_links = 3 << 19;
constexpr std::uint64_t unit = 8;  // chunks are aligned to it
constexpr std::uint64_t most_place = std::numeric_limits<std::uint32_t>::max();

}  // namespace

void NotedLinks::begin_stretch(Range stretch) {
  stretches_.push_back({.range = stretch, .begin = links_.size(), .end = links_.size()});
}

void NotedLinks::add(const PossibleLink& link) {
  const std::uint64_t place = (link.chunk - stretches_.back().range.begin) / unit, size = link.size / unit;
  if (links_.size() >= most_links || place > most_place || size > most_place) return;
  links_.push_back({link.next, static_cast<std::uint32_t>(place), static_cast<std::uint32_t>(size)});
  stretches_.back().end = links_.size();
}

void NotedLinks::append(const NotedLinks& other, bool goes_on) {
  const Stretch& added = other.stretches_.back();
  if (!goes_on || stretches_.empty() || (added.range.end - stretches_.back().range.begin) / unit > most_place)
    begin_stretch(added.range);
  Stretch& stretch = stretches_.back();
  stretch.range.end = added.range.end;
  const std::size_t count = std::min(other.links_.size(), most_links - links_.size());
  const auto moved = static_cast<std::uint32_t>((added.range.begin - stretch.range.begin) / unit);
  for (const Link& link : std::span(other.links_).first(count))
    links_.push_back({link.next, link.place + moved, link.size});
  stretch.end = links_.size();
}

void NotedLinks::keep_stretches(std::size_t count) {
  if (count >= stretches_.size()) return;
  links_.resize(stretches_[count].begin);
  stretches_.resize(count);
}

void NotedLinks::finish() {
  std::sort(stretches_.begin(), stretches_.end(),
            [](const Stretch& a, const Stretch& b) { return a.range.begin < b.range.begin; });
  for (Stretch& stretch : stretches_) make_buckets(stretch);
}

/// About as many buckets as links, so that one holds few.
void NotedLinks::make_buckets(Stretch& stretch) const {
  const std::size_t count = stretch.end - stretch.begin;
  if (count == 0) return;
  const std::uint64_t places = std::uint64_t{links_[stretch.end - 1].place} + 1;
  stretch.shift = static_cast<unsigned>(std::bit_width(places / count));
  stretch.first.assign(static_cast<std::size_t>(places >> stretch.shift) + 2, static_cast<std::uint32_t>(stretch.end));
  for (std::size_t i = stretch.end; i-- > stretch.begin;)
    stretch.first[links_[i].place >> stretch.shift] = static_cast<std::uint32_t>(i);
  for (std::size_t bucket = stretch.first.size() - 1; bucket-- > 0;)
    stretch.first[bucket] = std::min(stretch.first[bucket], stretch.first[bucket + 1]);
}

const std::uint32_t* NotedLinks::bucket_of(Address chunk, std::uint64_t& place) const {
  const auto stretch = std::partition_point(stretches_.begin(), stretches_.end(),
                                            [&](const Stretch& each) { return each.range.end <= chunk; });
  if (stretch == stretches_.end() || !stretch->range.contains(chunk) || (chunk - stretch->range.begin) % unit != 0)
    return nullptr;
  place = (chunk - stretch->range.begin) / unit;
  const std::uint64_t bucket = place >> stretch->shift;
  return stretch->first.empty() || bucket >= stretch->first.size() - 1 ? nullptr : &stretch->first[bucket];
}

void NotedLinks::hurry(Address chunk) const {
  std::uint64_t place = 0;
  if (const std::uint32_t* bucket = bucket_of(chunk, place)) __builtin_prefetch(bucket);
}

void NotedLinks::hurry_on(Address chunk) const {
  std::uint64_t place = 0;
  const std::uint32_t* const bucket = bucket_of(chunk, place);
  if (bucket != nullptr && bucket[0] < links_.size()) __builtin_prefetch(&links_[bucket[0]]);
}

std::optional<PossibleLink> NotedLinks::find(Address chunk) const {
  std::uint64_t place = 0;
  const std::uint32_t* const bucket = bucket_of(chunk, place);
  if (bucket == nullptr) return std::nullopt;
  for (std::size_t i = bucket[0]; i < bucket[1]; ++i)
    if (links_[i].place == place) return PossibleLink{chunk, links_[i].size * unit, links_[i].next};
  return std::nullopt;
}

}  // namespace vmscan
