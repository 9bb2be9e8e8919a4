#include "libvmscan/owners/allocators/glibc/glibc_thread_caches.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

namespace vmscan {

struct TcacheLayout {
  std::uint64_t chunk_size;
  std::size_t bins, count_bytes;
  bool counts_entries;  // 2.42 counts the places that are left, of as many in each list
};

namespace {

constexpr std::size_t tls_bytes = 64 << 10;            // of static TLS, looked at below each thread's own structure
constexpr std::uint64_t most_in_thread_list = 0xffff;  // counted in 16 bits
constexpr std::size_t most_pointers = 1 << 20;
constexpr std::size_t most_moving_lists = 4;  // of a cache: its thread takes blocks and gives them back meanwhile
constexpr int most_looks = 8;                 // at a list in motion

constexpr std::array<TcacheLayout, 3> layouts_64{{{0x250, 64, 1, true}, {0x290, 64, 2, true}, {0x300, 76, 2, false}}};
constexpr std::array<TcacheLayout, 3> layouts_32{{{0x150, 64, 1, true}, {0x190, 64, 2, true}, {0x1d0, 76, 2, false}}};
constexpr std::size_t small_bins = 64;  // of one size each

constexpr const std::array<TcacheLayout, 3>& layouts_of(std::size_t word) {
  return word == 8 ? layouts_64 : layouts_32;
}

/// Null when no such structure has a chunk of this size.
const TcacheLayout* layout_of_cache(std::size_t word, std::uint64_t chunk_size) {
  const auto& layouts = layouts_of(word);
  const auto found =
      std::find_if(layouts.begin(), layouts.end(), [&](const auto& each) { return each.chunk_size == chunk_size; });
  return found == layouts.end() ? nullptr : &*found;
}

std::uint64_t count_of(const TcacheLayout& layout, std::span<const std::byte> bytes, std::size_t bin) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < layout.count_bytes && bin * layout.count_bytes + i < bytes.size(); ++i)
    count |= std::uint64_t{std::to_integer<std::uint8_t>(bytes[bin * layout.count_bytes + i])} << (8 * i);
  return count;
}

Address entry_of(const TcacheLayout& layout, const TargetMemory& memory, std::span<const std::byte> bytes,
                 std::size_t bin) {
  const std::size_t word = memory.word_bytes(), counts = (layout.bins * layout.count_bytes + word - 1) / word * word;
  return memory.word_at(bytes, counts + bin * word);
}

}  // namespace

/// Static TLS ends where a thread's own structure begins, on x86. The pointer stands at the same place for every
/// thread: where most of them have one.
std::unordered_set<Address> GlibcThreadCaches::pointed_to() {
  std::vector<Address> candidates = walk_.all.thread_caches;
  candidates.insert(candidates.end(), walk_.all.empty_thread_caches.begin(), walk_.all.empty_thread_caches.end());
  std::ranges::sort(candidates);
  std::unordered_map<Address, bool> believed;
  const auto may_be_one = [&](Address chunk) {
    if (!walk_.heaps.contains(chunk) || !std::ranges::binary_search(candidates, chunk)) return false;
    const auto [known, fresh] = believed.try_emplace(chunk, false);
    if (fresh) known->second = consistent(chunk, true);
    return known->second;
  };
  std::map<std::uint64_t, std::size_t> votes;
  std::vector<std::pair<std::uint64_t, Address>> pointers;
  std::vector<std::byte> bytes;
  for (const Thread& thread : walk_.memory.facts().threads) {
    if (!thread.control_block || candidates.empty()) continue;
    const Address end = *thread.control_block;
    for (const Range& run : walk_.memory.readable({end - std::min<Address>(end, tls_bytes), end})) {
      bytes.resize(static_cast<std::size_t>(run.size()));
      bytes.resize(walk_.memory.read(run.begin, bytes));
      for (std::size_t i = 0; i + word_ <= bytes.size(); i += word_) {
        const Address chunk = walk_.memory.word_at(bytes, i) - layout_.header();
        if (pointers.size() >= most_pointers || !may_be_one(chunk)) continue;
        pointers.emplace_back(end - run.begin - i, chunk);
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

GlibcThreadCaches::Cache GlibcThreadCaches::read(Address chunk) const {
  const std::uint64_t size = walk_.memory.word(chunk + word_).value_or(0) & ~chunk_flag::all;
  Cache cache{.layout = layout_of_cache(word_, size), .bytes = {}};
  if (cache.layout == nullptr) return cache;
  cache.bytes.resize(static_cast<std::size_t>(size) - word_);
  cache.bytes.resize(walk_.memory.read(chunk + layout_.header(), cache.bytes));
  return cache;
}

Address GlibcThreadCaches::entry_of(const Cache& cache, std::size_t bin) const {
  return vmscan::entry_of(*cache.layout, walk_.memory, cache.bytes, bin);
}

bool GlibcThreadCaches::consistent(Address chunk, bool thread_points_to_it) {
  const Cache cache = read(chunk);
  if (cache.layout == nullptr) return false;
  const std::uint64_t places = places_of(cache);
  bool any = false;
  std::size_t moving = 0;
  for (std::size_t bin = 0; bin < cache.layout->bins; ++bin) {
    any |= entry_of(cache, bin) != 0;
    if (fits(cache, bin, places)) continue;
    if (!live() || !thread_points_to_it || ++moving > most_moving_lists) return false;
  }
  return any || thread_points_to_it;
}

GlibcThreadCaches::Lists GlibcThreadCaches::lists_of(Address chunk) {
  const Cache cache = read(chunk);
  if (cache.layout == nullptr) return {};
  Lists found{.chunk_size = cache.layout->chunk_size, .lists = {}};
  const std::uint64_t places = places_of(cache);
  for (std::size_t bin = 0; bin < cache.layout->bins; ++bin)
    found.lists.push_back({entry_of(cache, bin), fits(cache, bin, places) ? std::nullopt : caught(chunk, bin, places)});
  return found;
}

/// Of each list, used or not, where the cache counts those that are left: what most lists say.
std::uint64_t GlibcThreadCaches::places_of(const Cache& cache) {
  if (cache.layout->counts_entries) return 0;
  std::map<std::uint64_t, std::size_t> votes;
  for (std::size_t bin = 0; bin < cache.layout->bins; ++bin)
    if (const auto blocks = blocks_of(cache, bin, From::Noted))
      ++votes[count_of(*cache.layout, cache.bytes, bin) + blocks->size()];
  const auto most = std::ranges::max_element(votes, {}, [](const auto& each) { return each.second; });
  return most == votes.end() ? 0 : most->first;
}

bool GlibcThreadCaches::fits(const Cache& cache, std::size_t bin, std::uint64_t places) {
  return has_length(cache, bin, places, blocks_of(cache, bin, From::Noted));
}

bool GlibcThreadCaches::has_length(const Cache& cache, std::size_t bin, std::uint64_t places,
                                   const std::optional<Blocks>& blocks) const {
  const std::uint64_t count = count_of(*cache.layout, cache.bytes, bin);
  return blocks && (cache.layout->counts_entries ? blocks->size() == count : blocks->size() + count == places);
}

/// The blocks of a list that its thread changes all the time, as one look found it in order.
std::optional<GlibcThreadCaches::Blocks> GlibcThreadCaches::caught(Address chunk, std::size_t bin,
                                                                   std::uint64_t places) {
  for (int look = 0; look < most_looks && live(); ++look) {
    const Cache cache = read(chunk);
    if (cache.layout == nullptr) return std::nullopt;
    auto blocks = blocks_of(cache, bin, From::Now);
    if (has_length(cache, bin, places, blocks)) return blocks;
  }
  return std::nullopt;
}

/// Of one list; nothing when something is wrong with it, or it is longer than its count.
std::optional<GlibcThreadCaches::Blocks> GlibcThreadCaches::blocks_of(const Cache& cache, std::size_t bin, From from) {
  const std::uint64_t size = bin < small_bins ? layout_.least_chunk() + bin * layout_.alignment : 0;
  const std::uint64_t most =
      cache.layout->counts_entries ? count_of(*cache.layout, cache.bytes, bin) : most_in_thread_list;
  Blocks blocks;
  for (Address mem = entry_of(cache, bin); mem != 0;) {
    const Address chunk = mem - layout_.header();
    if (!layout_.aligned(chunk) || lists_.place_of(chunk) == nullptr || blocks.size() >= most) return std::nullopt;
    const GlibcLists::Link link = from == From::Noted ? lists_.read(chunk) : lists_.read_now(chunk);
    const auto following = size == 0 || link.size == size ? lists_.next(link, layout_.header()) : std::nullopt;
    if (!following) return std::nullopt;
    blocks.push_back(link);
    mem = *following;
  }
  return blocks;
}

std::uint64_t sizes_of_thread_caches(std::size_t word) {
  std::uint64_t sizes = 0;
  for (const TcacheLayout& layout : layouts_of(word)) sizes |= std::uint64_t{1} << layout.chunk_size / 16;
  return sizes;
}

CacheGuess guess_thread_cache(const GlibcWalk& walk, std::uint64_t size, std::span<const std::byte> bytes) {
  const TcacheLayout* layout = layout_of_cache(walk.memory.word_bytes(), size);
  if (layout == nullptr) return CacheGuess::None;
  if (bytes.empty()) return CacheGuess::Used;
  const bool live = walk.memory.facts().target.kind == TargetKind::Process;
  std::size_t entries = 0, used = 0, moving = 0;
  for (std::size_t bin = 0; bin < layout->bins; ++bin) {
    const Address entry = entry_of(*layout, walk.memory, bytes, bin);
    if (entry != 0 && !walk.heaps.contains(entry)) return CacheGuess::None;
    entries += entry != 0;
    if (!layout->counts_entries) continue;
    const bool counted = count_of(*layout, bytes, bin) != 0;
    used += counted && entry != 0;
    moving += counted != (entry != 0);
    if (moving > (live ? most_moving_lists : 0)) return CacheGuess::None;
  }
  if (moving > 0 && used == 0) return CacheGuess::None;  // a number in an empty block is no list in motion
  return entries > 0 ? CacheGuess::Used : CacheGuess::Empty;
}

}  // namespace vmscan
