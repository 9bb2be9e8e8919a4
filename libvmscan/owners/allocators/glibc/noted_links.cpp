#include "libvmscan/owners/allocators/glibc/noted_links.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <span>
#include <utility>

namespace vmscan {
namespace {

constexpr std::size_t most_links = 3 << 19;
constexpr std::uint64_t unit = 8;  // chunks are aligned to it
constexpr std::uint64_t most_place = std::numeric_limits<std::uint32_t>::max();

}  // namespace

void NotedLinks::begin_stretch(Range stretch) { stretches_.push_back({.range = stretch}); }

void NotedLinks::add(const PossibleLink& link) {
  Stretch& stretch = stretches_.back();
  const std::uint64_t place = (link.chunk - stretch.range.begin) / unit, size = link.size / unit;
  if (count_ >= most_links || place > most_place || size > most_place) return;
  stretch.links.push_back({link.next, static_cast<std::uint32_t>(place), static_cast<std::uint32_t>(size)});
  ++count_;
}

/// The links stay where they are: to copy millions of them touches as much memory once more.
void NotedLinks::append(NotedLinks&& other) {
  for (Stretch& stretch : other.stretches_) {
    stretch.links.resize(std::min(stretch.links.size(), most_links - count_));
    count_ += stretch.links.size();
    stretches_.push_back(std::move(stretch));
  }
  other = {};
}

void NotedLinks::keep_stretches(std::size_t count) {
  for (; stretches_.size() > count; stretches_.pop_back()) count_ -= stretches_.back().links.size();
}

void NotedLinks::finish() {
  std::sort(stretches_.begin(), stretches_.end(),
            [](const Stretch& a, const Stretch& b) { return a.range.begin < b.range.begin; });
  for (Stretch& stretch : stretches_) make_buckets(stretch);
}

/// A bucket holds as many links as a line of the cache, or fewer.
void NotedLinks::make_buckets(Stretch& stretch) {
  const std::vector<Link>& links = stretch.links;
  if (links.empty()) return;
  constexpr std::uint64_t links_in_line = 64 / sizeof(Link);
  const std::uint64_t places = std::uint64_t{links.back().place} + 1;
  stretch.shift = static_cast<unsigned>(std::bit_width(places * links_in_line / 2 / links.size()));
  stretch.first.assign(static_cast<std::size_t>(places >> stretch.shift) + 2, static_cast<std::uint32_t>(links.size()));
  for (std::size_t i = links.size(); i-- > 0;)
    stretch.first[links[i].place >> stretch.shift] = static_cast<std::uint32_t>(i);
  for (std::size_t bucket = stretch.first.size() - 1; bucket-- > 0;)
    stretch.first[bucket] = std::min(stretch.first[bucket], stretch.first[bucket + 1]);
}

NotedLinks::Bucket NotedLinks::bucket_of(Address chunk) const {
  const auto stretch = std::partition_point(stretches_.begin(), stretches_.end(),
                                            [&](const Stretch& each) { return each.range.end <= chunk; });
  if (stretch == stretches_.end() || !stretch->range.contains(chunk) || (chunk - stretch->range.begin) % unit != 0)
    return {};
  const std::uint64_t place = (chunk - stretch->range.begin) / unit, bucket = place >> stretch->shift;
  if (stretch->first.empty() || bucket >= stretch->first.size() - 1) return {};
  const std::uint32_t* const first = &stretch->first[bucket];
  __builtin_prefetch(first);
  return {.stretch = &*stretch, .first = first, .place = place};
}

void NotedLinks::prefetch(const Bucket& bucket) const {
  if (bucket.stretch != nullptr && bucket.first[0] < bucket.stretch->links.size())
    __builtin_prefetch(&bucket.stretch->links[bucket.first[0]]);
}

std::optional<PossibleLink> NotedLinks::find(Address chunk) const { return find(chunk, bucket_of(chunk)); }

std::optional<PossibleLink> NotedLinks::find(Address chunk, const Bucket& bucket) const {
  if (bucket.stretch == nullptr) return std::nullopt;
  const auto links = std::span(bucket.stretch->links).subspan(bucket.first[0], bucket.first[1] - bucket.first[0]);
  const auto link = std::ranges::find(links, bucket.place, &Link::place);
  return link == links.end() ? std::nullopt : std::optional(PossibleLink{chunk, link->size * unit, link->next});
}

}  // namespace vmscan
