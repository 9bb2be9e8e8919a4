// Blocks that the program has freed and that count as in use: those in the threads' caches and in the fast bins. Both
// are lists of blocks, singly linked through their first word; since 2.32 that word is the next address XOR its own
// address >> 12 ("safe linking").
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/owners/allocators/glibc/glibc_thread_caches.h"
#include "libvmscan/owners/allocators/residency.h"

namespace vmscan {
namespace {

constexpr std::size_t most_in_list = 1 << 24;
constexpr std::size_t lists_at_once = 64;
constexpr std::size_t most_fast_chunks = 1 << 22;  // noted for a walk along free pages

class Settler {
 public:
  Settler(GlibcWalk& walk, std::vector<HeapTotals>& heaps)
      : walk_(walk), layout_(walk.found.layout), heaps_(heaps), links_(walk) {}

  void run() {
    GlibcThreadCaches caches(walk_, links_);
    const std::unordered_set<Address> pointed_to = caches.pointed_to();
    for (const Address chunk : walk_.all.thread_caches)
      if (pointed_to.contains(chunk) || caches.consistent(chunk, false)) settle(chunk, caches.lists_of(chunk));
    for (const Address chunk : walk_.all.empty_thread_caches)
      if (pointed_to.contains(chunk)) settle(chunk, caches.lists_of(chunk));
    for (std::size_t i = 0; i < walk_.found.arenas.size(); ++i) {
      const GlibcArena& arena = walk_.found.arenas[i];
      for (std::size_t at = layout_.fastbins; at < layout_.top; at += layout_.word) {
        const Address first = walk_.memory.word(arena.address + at).value_or(0);
        if (first != 0) add_list({.at = first, .into = 0, .what = "fast bin"});
      }
    }
    settle_lists();
  }

 private:
  void settle(Address cache, const GlibcThreadCaches::Lists& found) {
    if (found.chunk_size == 0) return;
    if (const auto* place = links_.place_of(cache)) {
      take(heaps_[place->heap], {cache, cache + found.chunk_size}, std::nullopt);
      heaps_[place->heap].overhead += found.chunk_size;
    }
    for (const auto& [first, caught] : found.lists) {
      if (caught) {
        for (const GlibcLists::Link& link : *caught) take_cached(link.chunk, link.size);
      } else if (first != 0) {
        add_list({.at = first, .into = layout_.header(), .what = "thread cache"});
      }
    }
  }

  void take_cached(Address chunk, std::uint64_t size) {
    if (const auto* place = links_.place_of(chunk))
      take(heaps_[place->heap], {chunk, chunk + size}, BlockState::Cached);
    remember(chunk, size);
  }

  /// A list whose blocks are taken out of the live ones.
  struct List {
    Address at = 0;        // what the next link stands in; 0: the end
    std::size_t into = 0;  // from a chunk to what the list points to
    std::string_view what;
    std::size_t length = 0;
    NotedLinks::Bucket bucket = {};  // of the chunk at `at`
    Address mark = 0;                // Brent's way to notice a circle: a place that is left behind at each power of two
    std::size_t next_mark = 1;
  };

  void add_list(const List& list) {
    lists_.push_back(list);
    lists_.back().bucket = walk_.links.bucket_of(list.at - list.into);
    if (lists_.size() >= lists_at_once) settle_lists();
  }

  /// A step of each list in turn: each step waits for memory that the one before names, but not for other lists'.
  void settle_lists() {
    while (!lists_.empty()) {
      for (const List& list : lists_) walk_.links.prefetch(list.bucket);
      for (List& list : lists_) settle_next(list);
      std::erase_if(lists_, [](const List& list) { return list.at == 0; });
      for (List& list : lists_) list.bucket = walk_.links.bucket_of(list.at - list.into);
    }
  }

  void settle_next(List& list) {
    const Address chunk = list.at - list.into;
    const auto* place = links_.place_of(chunk);
    const GlibcLists::Link link = links_.read(chunk, list.bucket);
    if (place == nullptr || !layout_.aligned(chunk) || !layout_.possible_size(link.size) ||
        link.size > place->range.end - chunk || list.length >= most_in_list || list.at == list.mark)
      return blame(list, list.at);
    take_cached(chunk, link.size);
    if (list.into == 0 && walk_.options.trim && walk_.fast_chunks.size() < most_fast_chunks)
      walk_.fast_chunks.push_back(chunk);
    if (++list.length == list.next_mark) {
      list.mark = list.at;
      list.next_mark *= 2;
    }
    const auto following = links_.next(link, list.into);
    if (!following) return blame(list, chunk + layout_.header());
    list.at = *following;
  }

  void take(HeapTotals& totals, Range chunk, std::optional<BlockState> into) {
    const std::uint64_t size = chunk.size();
    if (totals.live.blocks == 0 || totals.live.bytes < size) return;
    --totals.live.blocks;
    totals.live.bytes -= size;
    if (into) totals.cached.add(size);
    walk_.all.sizes.take_from_live(size, into);
    if (totals.residency)
      move_part(walk_.memory.facts().pages, chunk, &PartBytes::live, into ? &PartBytes::cached : &PartBytes::overhead,
                *totals.residency);
  }

  void remember(Address chunk, std::uint64_t size) {
    const auto& address = walk_.options.list_address;
    const bool wanted = size == walk_.wanted_size || (address && *address >= chunk && *address - chunk < size);
    if (wanted && walk_.set_aside.size() < walk_.options.most_blocks) walk_.set_aside.insert(chunk);
  }

  /// Ends the list.
  void blame(List& list, Address at) {
    list.at = 0;
    if (notes_++ < 20)
      walk_.report.notes.push_back(
          {"heap_list_broken",
           fmt::format("a {} leads nowhere at address {:#x}: what comes behind it counts as live", list.what, at)});
  }

  GlibcWalk& walk_;
  const GlibcLayout& layout_;
  std::vector<HeapTotals>& heaps_;
  GlibcLists links_;
  std::vector<List> lists_;
  std::size_t notes_ = 0;
};

}  // namespace

void settle_glibc_caches(GlibcWalk& walk, std::vector<HeapTotals>& heaps) {
  walk.links.finish();
  Settler(walk, heaps).run();
}

}  // namespace vmscan
