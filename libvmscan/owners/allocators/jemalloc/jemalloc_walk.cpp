#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "libvmscan/base/range_list.h"
#include "libvmscan/owners/allocators/jemalloc/jemalloc.h"

namespace vmscan {
namespace {

constexpr std::uint64_t most_arena_bytes = 4 << 20;  // of an arena's first block of metadata, where its ring begins
constexpr std::uint64_t most_regions = 512;          // of a slab (SC_SLAB_MAXREGS)
constexpr std::size_t most_caches = 1 << 16;
constexpr std::uint64_t most_variables_bytes = 64 << 10;  // of a thread, on either side of its control block
// tcache_slow_t, tcache_t and cache_bin_t of 5.3.
constexpr std::size_t bins_offset = 32, arena_offset = 40, bin_bytes = 24, most_slow_bytes = 512;
constexpr std::uint32_t most_bins = 76;

class Walker {
 public:
  Walker(AllocatorWalk& walk, const JemallocHeaps& found) : walk_(walk), found_(found), cache_(walk.memory()) {}

  void run() {
    const std::size_t first = walk_.report().heaps.size();
    for (const JemallocExtent& extent : found_.extents) heaps_[extent.arena] = 0;
    for (auto& [arena, heap] : heaps_) heap = walk_.add_heap(fmt::format("jemalloc arena {}", arena));
    find_caches();
    for (const JemallocExtent& extent : found_.extents) add_extent(extent);
    for (const Address region : set_aside_)
      if (const JemallocExtent* extent = item_at(found_.extents, region))
        walk_.cache(heaps_[extent->arena], jemalloc_size_class(extent->size_class));
    if (!found_.metadata.empty()) walk_.heap(walk_.add_heap("jemalloc metadata")).ranges = found_.metadata;
    walk_.finish(first, AllocatorWalk::Rest::Overhead);
    if (caches_.empty() && !found_.extents.empty())
      walk_.report().notes.push_back(
          {"heap_caches_unknown", "jemalloc's thread caches were not found: blocks in them count as live"});
  }

 private:
  void add_extent(const JemallocExtent& extent) {
    const std::size_t index = heaps_[extent.arena];
    HeapTotals& heap = walk_.heap(index);
    heap.ranges.push_back(extent.range);
    const std::uint64_t size = extent.range.size();
    if (extent.state != JemallocExtent::State::Active) {
      heap.free.add(size);
      heap.largest_free = std::max(heap.largest_free, size);
      walk_.reside(index, extent.range, &PartBytes::free);
      return;
    }
    const SizeClass kind = jemalloc_size_class(extent.size_class);
    if (kind.size == 0 || kind.size > size || (extent.slab && size / kind.size > most_regions)) {
      ++heap.broken;
      heap.unread += size;
      walk_.reside(index, extent.range, &PartBytes::unread);
    } else if (extent.slab) {
      const std::uint64_t blocks = size / kind.size, free = std::min<std::uint64_t>(extent.free_regions, blocks);
      walk_.add(index, kind, BlockState::Live, blocks - free);
      walk_.add(index, kind, BlockState::Free, free);
      walk_.reside(index, extent.range, {.live = (blocks - free) * kind.size, .free = free * kind.size}, [&] {
        for_each_region(extent, kind, blocks, [&](Range region, BlockState state) {
          walk_.reside(index, region, state == BlockState::Free ? &PartBytes::free : &PartBytes::live);
        });
      });
      if (walk_.wants(kind, extent.range))
        for_each_region(extent, kind, blocks,
                        [&](Range region, BlockState state) { walk_.see(index, kind, region.begin, region, state); });
    } else {
      walk_.add(index, kind, BlockState::Live);
      walk_.see(index, kind, extent.data, extent.range, used(extent.data));
      walk_.reside(index, {extent.range.begin, extent.range.begin + kind.size}, &PartBytes::live);
    }
  }

  /// `look(range, state)` by the bits of free regions; those of thread caches have none.
  template <class Look>
  void for_each_region(const JemallocExtent& extent, const SizeClass& kind, std::uint64_t blocks, Look look) {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const auto free = cache_.word(extent.edata + 64 + i / 64 * 8);
      if (!free) return;
      const Address begin = extent.range.begin + i * kind.size;
      look(Range{begin, begin + kind.size}, (*free >> i % 64 & 1) != 0 ? BlockState::Free : used(begin));
    }
  }

  BlockState used(Address region) const { return set_aside_.contains(region) ? BlockState::Cached : BlockState::Live; }

  /// An arena lies in its first block of metadata, and points to the ring of its caches, unless jemalloc was built
  /// without statistics.
  void find_caches() {
    for (const Address base : found_.bases)
      for_each_piece(walk_.memory(), {base, base + most_arena_bytes}, [&](Address, std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) follow_ring(walk_.memory().word_at(bytes, i));
        return true;
      });
    if (caches_.empty()) find_in_threads();
  }

  /// A thread's cache is one of its own variables.
  void find_in_threads() {
    const TargetMemory& memory = walk_.memory();
    for (const Thread& thread : memory.facts().threads) {
      if (!thread.control_block || *thread.control_block < most_variables_bytes) continue;
      const auto around = Range::make(*thread.control_block - most_variables_bytes, 2 * most_variables_bytes);
      if (!around) continue;
      for_each_piece(memory, *around, [&](Address at, std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i + arena_offset + 8 <= bytes.size(); i += 8)
          if (is_metadata(memory.word_at(bytes, i + arena_offset))) add_cache(at + i, bytes.subspan(i), *around);
        return true;
      });
    }
  }

  /// What may be a tcache_slow_t, if its `tcache` points to a tcache_t that points back.
  void add_cache(Address cache, std::span<const std::byte> bytes, Range variables) {
    for (std::size_t i = arena_offset + 8; i + 8 <= std::min(bytes.size(), most_slow_bytes); i += 8) {
      const Address quick = walk_.memory().word_at(bytes, i);
      if (!variables.contains(quick) || cache_.word(quick) != cache || !caches_.insert(cache).second) continue;
      for (std::uint32_t bin = 0; bin < most_bins; ++bin) empty_bin(quick + 8 + bin * bin_bytes, bin);
    }
  }

  bool is_metadata(Address address) const {
    return std::any_of(found_.metadata.begin(), found_.metadata.end(),
                       [&](const Range& each) { return each.contains(address); });
  }

  void follow_ring(Address cache) {
    if (cache == 0 || cache % 8 != 0 || is_metadata(cache)) return;
    while (caches_.size() < most_caches && !caches_.contains(cache) && walk_.memory().writable(cache)) {
      const Address bins = cache_.word(cache + bins_offset).value_or(0);
      if (bins < 8 || bins % 8 != 0 || cache_.word(bins - 8) != cache ||
          !is_metadata(cache_.word(cache + arena_offset).value_or(0)))
        return;
      caches_.insert(cache);
      for (std::uint32_t i = 0; i < most_bins; ++i) empty_bin(bins + i * bin_bytes, i);
      cache = cache_.word(cache).value_or(0);
    }
  }

  /// Counts what a stack of free regions holds: from its head, which grows down, to its end.
  void empty_bin(Address bin, std::uint32_t size_class) {
    const auto bytes = cache_.at(bin, bin_bytes);
    if (bytes.empty()) return;
    const Address head = walk_.memory().word_at(bytes, 0);
    const std::uint16_t full = static_cast<std::uint16_t>(walk_.memory().half_at(bytes, 16) >> 16),
                        empty = static_cast<std::uint16_t>(walk_.memory().half_at(bytes, 20));
    const auto room = static_cast<std::uint16_t>(empty - full), held = static_cast<std::uint16_t>(empty - head);
    if (head == 0 || held > room || held % 8 != 0) return;
    for (std::uint16_t i = 0; i < held; i += 8)
      if (const auto region = cache_.word(head + i)) set_aside(*region, size_class);
  }

  void set_aside(Address region, std::uint32_t size_class) {
    const JemallocExtent* extent = item_at(found_.extents, region);
    if (extent != nullptr && extent->state == JemallocExtent::State::Active && extent->size_class == size_class)
      set_aside_.insert(region);
  }

  AllocatorWalk& walk_;
  const JemallocHeaps& found_;
  PageCache cache_;
  std::map<std::uint32_t, std::size_t> heaps_;  // index in the report by arena
  std::unordered_set<Address> caches_, set_aside_;
};

}  // namespace

void walk_jemalloc(const TargetMemory& memory, const HeapOptions& options, HeapReport& report) {
  PageCache cache(memory);
  const JemallocHeaps found = find_jemalloc(cache);
  if (found.extents.empty()) return;
  AllocatorWalk walk(memory, options, report, "jemalloc");
  Walker(walk, found).run();
}

}  // namespace vmscan
