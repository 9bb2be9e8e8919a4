#include "libvmscan/owners/allocators/glibc/glibc_lists.h"

#include <algorithm>
#include <array>

namespace vmscan {

GlibcLists::GlibcLists(const GlibcWalk& walk) : walk_(walk), layout_(walk.found.layout) {
  for (std::size_t i = 0; i < walk.found.arenas.size(); ++i)
    for (const GlibcHeap& heap : walk.found.arenas[i].heaps) places_.push_back({heap.range, i});
  std::ranges::sort(places_, {}, [](const Place& place) { return place.range.begin; });
}

const GlibcLists::Place* GlibcLists::place_of(Address chunk) const {
  const auto it = std::partition_point(places_.begin(), places_.end(),
                                       [&](const Place& place) { return place.range.end <= chunk; });
  return it != places_.end() && it->range.contains(chunk) ? &*it : nullptr;
}

GlibcLists::Link GlibcLists::read(Address chunk) const { return read(chunk, walk_.links.bucket_of(chunk)); }

GlibcLists::Link GlibcLists::read(Address chunk, const NotedLinks::Bucket& bucket) const {
  if (const auto noted = walk_.links.find(chunk, bucket))
    return {.chunk = chunk, .size = noted->size, .next = noted->next, .read = true};
  return read_now(chunk);
}

GlibcLists::Link GlibcLists::read_now(Address chunk) const {
  std::array<std::byte, 16> buffer;
  const auto bytes = std::span(buffer).first(2 * layout_.word);
  Link link{.chunk = chunk};
  link.read = walk_.memory.read(chunk + layout_.word, bytes) == bytes.size();
  if (!link.read) return link;
  link.size = walk_.memory.word_at(bytes, 0) & ~chunk_flag::all;
  link.next = walk_.memory.word_at(bytes, layout_.word);
  return link;
}

std::optional<Address> GlibcLists::next(const Link& link, std::size_t into) {
  if (!link.read) return std::nullopt;
  const Address plain = link.next, safe = link.next ^ ((link.chunk + layout_.header()) >> 12);
  const auto possible = [&](Address value) {
    return value == 0 || (layout_.aligned(value - into) && place_of(value - into) != nullptr);
  };
  if (!safe_linking_ && possible(safe) != possible(plain)) safe_linking_ = possible(safe);
  const Address value = safe_linking_.value_or(true) ? safe : plain;
  return possible(value) ? std::optional(value) : std::nullopt;
}

}  // namespace vmscan
