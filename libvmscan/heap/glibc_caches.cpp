// Blocks that the program has freed and that count as in use: those in the threads' caches and in the fast bins.
//   tcache_perthread_struct { counts[bins]; tcache_entry *entries[bins]; }   counts of 1 byte (2.26) or 2 (2.30)
// Both are lists of blocks, singly linked through their first word; since 2.32 that word is the next address XOR its
// own address >> 12 ("safe linking"). A cache is believed when a thread's static TLS points to it, or when all of its
// lists are what they should be. A thread that runs takes blocks from its lists and gives them back: a list that was in
// motion is looked at again.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "libvmscan/heap/glibc_walk.h"
#include "libvmscan/heap/residency.h"

namespace vmscan {
namespace {

constexpr std::size_t tls_bytes = 64 << 10;            // of static TLS, looked at below each thread's own structure
constexpr std::uint64_t most_in_thread_list = 0xffff;  // counted in 16 bits
constexpr std::size_t most_in_list = 1 << 24, most_pointers = 1 << 20;
constexpr std::size_t lists_at_once = 64;
constexpr std::size_t most_moving_lists = 4;       // of a cache: its thread takes blocks and gives them back meanwhile
constexpr int most_looks = 8;                      // at a list in motion
constexpr std::size_t most_fast_chunks = 1 << 22;  // noted for a walk along free pages

struct CacheLayout {
  std::uint64_t chunk_size;
  std::size_t bins, count_bytes;
  bool counts_entries;  // 2.42 counts the places that are left, of as many in each list
};

constexpr std::array<CacheLayout, 3> layouts_64{{{0x250, 64, 1, true}, {0x290, 64, 2, true}, {0x300, 76, 2, false}}};
constexpr std::array<CacheLayout, 3> layouts_32{{{0x150, 64, 1, true}, {0x190, 64, 2, true}, {0x1d0, 76, 2, false}}};
constexpr std::size_t small_bins = 64;  // of one size each

constexpr const std::array<CacheLayout, 3>& layouts_of(std::size_t word) { return word == 8 ? layouts_64 : layouts_32; }

/// Null when no such structure has a chunk of this size.
const CacheLayout* layout_of_cache(std::size_t word, std::uint64_t chunk_size) {
  const auto& layouts = layouts_of(word);
  const auto found =
      std::find_if(layouts.begin(), layouts.end(), [&](const auto& each) { return each.chunk_size == chunk_size; });
  return found == layouts.end() ? nullptr : &*found;
}

std::uint64_t count_of(const CacheLayout& layout, std::span<const std::byte> bytes, std::size_t bin) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < layout.count_bytes && bin * layout.count_bytes + i < bytes.size(); ++i)
    count |= std::uint64_t{std::to_integer<std::uint8_t>(bytes[bin * layout.count_bytes + i])} << (8 * i);
  return count;
}

Address entry_of(const CacheLayout& layout, const TargetMemory& memory, std::span<const std::byte> bytes,
                 std::size_t bin) {
  const std::size_t word = memory.word_bytes(), counts = (layout.bins * layout.count_bytes + word - 1) / word * word;
  return memory.word_at(bytes, counts + bin * word);
}

class Settler {
 public:
  Settler(GlibcWalk& walk, std::vector<HeapTotals>& heaps)
      : walk_(walk), layout_(walk.found.layout), word_(layout_.word), heaps_(heaps) {
    for (std::size_t i = 0; i < walk.found.arenas.size(); ++i)
      for (const GlibcHeap& heap : walk.found.arenas[i].heaps) places_.push_back({heap.range, i});
    std::sort(places_.begin(), places_.end(),
              [](const Place& a, const Place& b) { return a.range.begin < b.range.begin; });
  }

  void run() {
    const std::unordered_set<Address> pointed_to = caches_of_threads();
    for (const Address chunk : walk_.all.thread_caches) settle_thread_cache(chunk, pointed_to.contains(chunk));
    for (std::size_t i = 0; i < walk_.found.arenas.size(); ++i) {
      const GlibcArena& arena = walk_.found.arenas[i];
      for (std::size_t at = layout_.fastbins; at < layout_.top; at += word_) {
        const Address first = walk_.memory.word(arena.address + at).value_or(0);
        if (first != 0) add_list({.at = first, .into = 0, .what = "fast bin"});
      }
    }
    settle_lists();
  }

 private:
  struct Place {
    Range range;
    std::size_t heap;
  };

  const Place* place_of(Address chunk) const {
    const auto it = std::partition_point(places_.begin(), places_.end(),
                                         [&](const Place& place) { return place.range.end <= chunk; });
    return it != places_.end() && it->range.contains(chunk) ? &*it : nullptr;
  }

  /// The thread caches that the static TLS of the threads points to (it ends where a thread's own structure begins, on
  /// x86). The pointer stands at the same place for every thread: where most of them have one.
  std::unordered_set<Address> caches_of_threads() {
    std::unordered_map<Address, bool> possible;
    for (const Address chunk : walk_.all.thread_caches) possible.emplace(chunk, consistent(chunk, true));
    std::map<std::uint64_t, std::size_t> votes;
    std::vector<std::pair<std::uint64_t, Address>> pointers;
    std::vector<std::byte> bytes;
    for (const Thread& thread : walk_.memory.facts().threads) {
      if (!thread.control_block || possible.empty()) continue;
      const Address end = *thread.control_block;
      for (const Range& run : walk_.memory.readable({end - std::min<Address>(end, tls_bytes), end})) {
        bytes.resize(static_cast<std::size_t>(run.size()));
        bytes.resize(walk_.memory.read(run.begin, bytes));
        for (std::size_t i = 0; i + word_ <= bytes.size(); i += word_) {
          const auto it = possible.find(walk_.memory.word_at(bytes, i) - layout_.header());
          if (it == possible.end() || !it->second || pointers.size() >= most_pointers) continue;
          pointers.emplace_back(end - run.begin - i, it->first);
          ++votes[end - run.begin - i];
        }
      }
    }
    const auto best =
        std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    std::unordered_set<Address> found;
    for (const auto& [place, chunk] : pointers)
      if (place == best->first) found.insert(chunk);
    return found;
  }

  /// What stands at the beginning of a block in a list.
  struct Link {
    Address chunk = 0;
    std::uint64_t size = 0, next = 0;  // next as it stands there
    bool read = false;
  };

  /// The block as a cache: its layout, and its bytes behind the header.
  struct Cache {
    const CacheLayout* layout = nullptr;
    std::vector<std::byte> bytes;
  };
  Cache read_cache(Address chunk) const {
    const std::uint64_t size = walk_.memory.word(chunk + word_).value_or(0) & ~chunk_flag::all;
    Cache cache{.layout = layout_of_cache(word_, size), .bytes = {}};
    if (cache.layout == nullptr) return cache;
    cache.bytes.resize(static_cast<std::size_t>(size) - word_);
    cache.bytes.resize(walk_.memory.read(chunk + layout_.header(), cache.bytes));
    return cache;
  }

  void settle_thread_cache(Address chunk, bool pointed_to) {
    if (!pointed_to && !consistent(chunk, false)) return;
    const Cache cache = read_cache(chunk);
    if (cache.layout == nullptr) return;
    if (const Place* place = place_of(chunk)) {
      take(heaps_[place->heap], {chunk, chunk + cache.layout->chunk_size}, std::nullopt);
      heaps_[place->heap].overhead += cache.layout->chunk_size;
    }
    const std::uint64_t places = places_of(cache);
    for (std::size_t bin = 0; bin < cache.layout->bins; ++bin) {
      const Address first = entry_of(*cache.layout, walk_.memory, cache.bytes, bin);
      const auto moving = fits(cache, bin, places) ? std::nullopt : caught(chunk, bin, places);
      if (moving)
        for (const Link& link : *moving) take_cached(link);
      else if (first != 0)
        add_list({.at = first, .into = layout_.header(), .what = "thread cache"});
    }
  }

  void take_cached(const Link& link) {
    const Place* place = place_of(link.chunk);
    if (place == nullptr) return;
    take(heaps_[place->heap], {link.chunk, link.chunk + link.size}, BlockState::Cached);
    remember(link.chunk, link.size);
  }

  /// Whether every list is as long as its count says and has blocks of its size only. `thread_points_to_it`: all may be
  /// empty, and a few may be in motion.
  bool consistent(Address chunk, bool thread_points_to_it) {
    const Cache cache = read_cache(chunk);
    if (cache.layout == nullptr) return false;
    const std::uint64_t places = places_of(cache);
    bool any = false;
    std::size_t moving = 0;
    for (std::size_t bin = 0; bin < cache.layout->bins; ++bin) {
      any |= entry_of(*cache.layout, walk_.memory, cache.bytes, bin) != 0;
      if (fits(cache, bin, places)) continue;
      if (!live() || !thread_points_to_it || ++moving > most_moving_lists) return false;
    }
    return any || thread_points_to_it;
  }

  bool live() const { return walk_.memory.facts().target.kind == TargetKind::Process; }

  /// Of each list, used or not, where the cache counts those that are left: what most lists say.
  std::uint64_t places_of(const Cache& cache) {
    if (cache.layout->counts_entries) return 0;
    std::map<std::uint64_t, std::size_t> votes;
    for (std::size_t bin = 0; bin < cache.layout->bins; ++bin)
      if (const auto blocks = blocks_of(cache, bin, Links::Noted))
        ++votes[count_of(*cache.layout, cache.bytes, bin) + blocks->size()];
    const auto most = std::ranges::max_element(votes, {}, [](const auto& each) { return each.second; });
    return most == votes.end() ? 0 : most->first;
  }

  bool fits(const Cache& cache, std::size_t bin, std::uint64_t places) {
    return has_length(cache, bin, places, blocks_of(cache, bin, Links::Noted));
  }

  bool has_length(const Cache& cache, std::size_t bin, std::uint64_t places,
                  const std::optional<std::vector<Link>>& blocks) const {
    const std::uint64_t count = count_of(*cache.layout, cache.bytes, bin);
    return blocks && (cache.layout->counts_entries ? blocks->size() == count : blocks->size() + count == places);
  }

  /// The blocks of a list that its thread changes all the time, as one look found it in order.
  std::optional<std::vector<Link>> caught(Address chunk, std::size_t bin, std::uint64_t places) {
    for (int look = 0; look < most_looks && live(); ++look) {
      const Cache cache = read_cache(chunk);
      if (cache.layout == nullptr) return std::nullopt;
      auto blocks = blocks_of(cache, bin, Links::Now);
      if (has_length(cache, bin, places, blocks)) return blocks;
    }
    return std::nullopt;
  }

  enum class Links : bool { Now, Noted };  // as they stand now, or as the walk has noted them

  /// Of one list; nothing when something is wrong with it, or it is longer than its count.
  std::optional<std::vector<Link>> blocks_of(const Cache& cache, std::size_t bin, Links links) {
    const CacheLayout& layout = *cache.layout;
    const std::uint64_t size = bin < small_bins ? layout_.least_chunk() + bin * layout_.alignment : 0;
    const std::uint64_t most = layout.counts_entries ? count_of(layout, cache.bytes, bin) : most_in_thread_list;
    std::vector<Link> blocks;
    for (Address mem = entry_of(layout, walk_.memory, cache.bytes, bin); mem != 0;) {
      const Address chunk = mem - layout_.header();
      if (!layout_.aligned(chunk) || place_of(chunk) == nullptr || blocks.size() >= most) return std::nullopt;
      const Link link = links == Links::Noted ? read_link(chunk) : read_link_now(chunk);
      const auto following = size == 0 || link.size == size ? next(link, layout_.header()) : std::nullopt;
      if (!following) return std::nullopt;
      blocks.push_back(link);
      mem = *following;
    }
    return blocks;
  }

  Link read_link(Address chunk) const {
    if (const auto noted = walk_.links.find(chunk))
      return {.chunk = chunk, .size = noted->size, .next = noted->next, .read = true};
    return read_link_now(chunk);
  }
  Link read_link_now(Address chunk) const {
    std::array<std::byte, 16> buffer;
    const auto bytes = std::span(buffer).first(2 * word_);
    Link link{.chunk = chunk};
    link.read = walk_.memory.read(chunk + word_, bytes) == bytes.size();
    if (!link.read) return link;
    link.size = walk_.memory.word_at(bytes, 0) & ~chunk_flag::all;
    link.next = walk_.memory.word_at(bytes, word_);
    return link;
  }

  /// Where a link leads to: past a chunk's header (thread caches: `into` is its size) or to a chunk (fast bins: 0).
  std::optional<Address> next(const Link& link, std::size_t into) {
    if (!link.read) return std::nullopt;
    const Address plain = link.next, safe = link.next ^ ((link.chunk + layout_.header()) >> 12);
    const auto possible = [&](Address value) {
      return value == 0 || (layout_.aligned(value - into) && place_of(value - into) != nullptr);
    };
    if (!safe_linking_ && possible(safe) != possible(plain)) safe_linking_ = possible(safe);
    const Address value = safe_linking_.value_or(true) ? safe : plain;
    return possible(value) ? std::optional(value) : std::nullopt;
  }

  /// A list whose blocks are taken out of the live ones.
  struct List {
    Address at = 0;        // what the next link stands in; 0: the end
    std::size_t into = 0;  // from a chunk to what the list points to
    std::string_view what;
    std::size_t length = 0;
    Address mark = 0;  // Brent's way to notice a circle: a place that is left behind at each power of two
    std::size_t next_mark = 1;
  };

  void add_list(const List& list) {
    lists_.push_back(list);
    if (lists_.size() >= lists_at_once) settle_lists();
  }

  /// A step of each list in turn: each step waits for memory that the one before names, but not for other lists'.
  void settle_lists() {
    while (!lists_.empty()) {
      for (const List& list : lists_) walk_.links.hurry_on(list.at - list.into);
      for (List& list : lists_) settle_next(list);
      std::erase_if(lists_, [](const List& list) { return list.at == 0; });
      for (const List& list : lists_) walk_.links.hurry(list.at - list.into);
    }
  }

  void settle_next(List& list) {
    const Address chunk = list.at - list.into;
    const Place* place = place_of(chunk);
    const Link link = read_link(chunk);
    if (place == nullptr || !layout_.aligned(chunk) || !layout_.possible_size(link.size) ||
        link.size > place->range.end - chunk || list.length >= most_in_list || list.at == list.mark)
      return blame(list, list.at);
    take(heaps_[place->heap], {chunk, chunk + link.size}, BlockState::Cached);
    remember(chunk, link.size);
    if (list.into == 0 && walk_.options.trim && walk_.fast_chunks.size() < most_fast_chunks)
      walk_.fast_chunks.push_back(chunk);
    if (++list.length == list.next_mark) {
      list.mark = list.at;
      list.next_mark *= 2;
    }
    const auto following = next(link, list.into);
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
  std::size_t word_;
  std::vector<HeapTotals>& heaps_;
  std::vector<Place> places_;
  std::vector<List> lists_;
  std::optional<bool> safe_linking_;
  std::size_t notes_ = 0;
};

}  // namespace

std::uint64_t sizes_of_thread_caches(std::size_t word) {
  std::uint64_t sizes = 0;
  for (const CacheLayout& layout : layouts_of(word)) sizes |= std::uint64_t{1} << layout.chunk_size / 16;
  return sizes;
}

bool may_be_thread_cache(const GlibcWalk& walk, std::uint64_t size, std::span<const std::byte> bytes) {
  const CacheLayout* layout = layout_of_cache(walk.memory.word_bytes(), size);
  if (layout == nullptr || bytes.empty()) return layout != nullptr;
  const bool live = walk.memory.facts().target.kind == TargetKind::Process;
  std::size_t used = 0, moving = 0;
  for (std::size_t bin = 0; bin < layout->bins; ++bin) {
    const Address entry = entry_of(*layout, walk.memory, bytes, bin);
    if (entry != 0 && !walk.heaps.contains(entry)) return false;
    if (!layout->counts_entries) continue;
    const bool counted = count_of(*layout, bytes, bin) != 0;
    used += counted && entry != 0;
    moving += counted != (entry != 0);
    if (moving > (live ? most_moving_lists : 0)) return false;
  }
  return moving == 0 || used > 0;  // a number in an empty block is no list in motion
}

void settle_glibc_caches(GlibcWalk& walk, std::vector<HeapTotals>& heaps) {
  walk.links.finish();
  Settler(walk, heaps).run();
}

}  // namespace vmscan
