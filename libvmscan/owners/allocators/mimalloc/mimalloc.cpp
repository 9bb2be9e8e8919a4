#include "libvmscan/owners/allocators/mimalloc/mimalloc.h"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_set>

namespace vmscan {
namespace {

constexpr std::uint64_t slice_bytes = 64 << 10, segment_bytes = 32 << 20, slices_of_segment = 512;
constexpr std::uint64_t small_blocks_offset = 384;  // into their page (_mi_segment_page_start before 2.1.7)
constexpr std::size_t most_header_words = 64;       // before a segment's slices: the masks take 16 of them
constexpr std::size_t most_segments = 1 << 18;
constexpr std::uint64_t huge_block = std::uint64_t{2} << 30;  // stands for any larger size

/// Offsets within a page's structure: 2.0 and 2.1 before and from 2.1.7 on, each without and with keys.
struct Layout {
  std::size_t bytes, local_free, used, used_bytes, block_size, block_size_bytes, page_start, thread_free;
};
constexpr std::array<Layout, 4> layouts{{{80, 32, 24, 4, 28, 4, 0, 40},
                                         {96, 24, 32, 2, 40, 8, 48, 56},
                                         {96, 32, 24, 4, 28, 4, 0, 56},
                                         {112, 24, 32, 2, 40, 8, 48, 72}}};

struct Segment {
  Address begin = 0;
  std::uint64_t slices = 0, entries = 0, info_slices = 0;
  std::size_t first_slice = 0;             // offset
  std::array<std::uint64_t, 2> cookies{};  // where it may stand
  bool huge = false;
};

class Finder {
 public:
  explicit Finder(const TargetMemory& memory) : memory_(memory), cache_(memory) {}

  MimallocHeaps find() {
    if (memory_.word_bytes() != 8) return {};
    std::vector<Segment> candidates;
    for (const Mapping& mapping : memory_.facts().mappings) {
      if (!mapping.read || !mapping.write || mapping.shared || mapping.inode != 0) continue;
      for (const Range& run : memory_.readable(mapping.range)) {
        const Address first = (run.begin + segment_bytes - 1) / segment_bytes * segment_bytes;
        for (Address at = first; at >= run.begin && at < run.end && candidates.size() < most_segments;
             at += segment_bytes)
          if (const auto segment = segment_at(at)) candidates.push_back(*segment);
      }
    }
    if (candidates.empty() || !find_key(candidates)) return {};
    for (const Segment& segment : candidates)
      if (std::ranges::any_of(segment.cookies, [&](std::uint64_t c) { return (c ^ segment.begin) == found_.key; }))
        add(segment);
    return std::move(found_);
  }

 private:
  /// What looks like a segment's header: numbers of slices that agree with the first slice.
  std::optional<Segment> segment_at(Address begin) {
    std::array<std::byte, 8 * (most_header_words + 6)> bytes;  // NOLINT: filled before it is read
    if (memory_.read_once(begin, bytes) != bytes.size()) return std::nullopt;
    const auto word = [&](std::size_t i) { return memory_.word_at(bytes, 8 * i); };
    for (std::size_t i = 3; i < most_header_words; ++i) {
      Segment segment{.begin = begin, .slices = word(i), .entries = word(i + 3), .info_slices = word(i + 1)};
      const std::uint64_t kind = word(i + 2) & 0xffffffff, first = word(i + 5);
      const auto range = Range::make(begin, segment.slices * slice_bytes);
      if (segment.slices == 0 || segment.slices > std::uint64_t{1} << 32 || kind > 1 || segment.info_slices == 0 ||
          segment.info_slices >= segment.slices || segment.entries != std::min(segment.slices, slices_of_segment) ||
          first != segment.info_slices || (kind == 0 && segment.slices != slices_of_segment) || !range ||
          !memory_.mapped(*range))
        continue;
      segment.huge = kind == 1;
      segment.first_slice = 8 * (i + 5);
      segment.cookies = {word(i - 1), word(i - 3)};
      return segment;
    }
    return std::nullopt;
  }

  /// The number that makes the cookies: it stands in an image's data.
  bool find_key(const std::vector<Segment>& candidates) {
    std::unordered_set<std::uint64_t> keys;
    for (const Segment& segment : candidates)
      for (const std::uint64_t cookie : segment.cookies)
        if (cookie >> 48 != 0) keys.insert(cookie ^ segment.begin);
    for (const Range& data : memory_.image_data([](const TargetMemory&, std::string_view) { return true; }))
      if (!for_each_piece(memory_, data, [&](Address, std::span<const std::byte> bytes) {
            for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8)
              if (const std::uint64_t word = memory_.word_at(bytes, i); word >> 48 != 0 && keys.contains(word)) {
                found_.key = word;
                return false;
              }
            return true;
          }))
        return true;
    return false;
  }

  void add(const Segment& segment) {
    for (const Layout& layout : layouts) {
      std::vector<MimallocPage> pages;
      if (!follow(segment, layout, pages)) continue;
      found_.segments.push_back({segment.begin, segment.begin + segment.slices * slice_bytes});
      for (const MimallocPage& page : pages)
        if (page.reserved != 0)
          found_.pages.push_back(page);
        else
          found_.free.push_back(page.range);
      return;
    }
  }

  bool follow(const Segment& segment, const Layout& layout, std::vector<MimallocPage>& pages) {
    for (std::uint64_t i = 0; i < segment.entries;) {
      const auto bytes = cache_.at(segment.begin + segment.first_slice + i * layout.bytes, layout.bytes);
      if (bytes.empty()) return false;
      const std::uint64_t count = memory_.half_at(bytes, 0);
      if (count == 0 || memory_.half_at(bytes, 4) != 0) return false;
      if (count > (segment.huge ? segment.slices : segment.entries) - i) return false;
      if (i >= segment.info_slices) {
        const Address begin = segment.begin + i * slice_bytes;
        const auto page = page_in(layout, bytes, {begin, begin + count * slice_bytes});
        if (!page) return false;
        pages.push_back(*page);
      }
      i += count;
    }
    return true;
  }

  /// A page without blocks when nobody uses the slices.
  std::optional<MimallocPage> page_in(const Layout& layout, std::span<const std::byte> bytes, Range range) const {
    MimallocPage page{.range = range, .blocks = range.begin};
    page.block_size = load_little_endian(bytes, layout.block_size, layout.block_size_bytes);
    page.capacity = memory_.half_at(bytes, 8) >> 16;
    page.reserved = memory_.half_at(bytes, 12) & 0xffff;
    page.used = memory_.half_at(bytes, layout.used) & (layout.used_bytes == 2 ? 0xffff : ~0U);
    if (page.block_size <= 1 || page.reserved == 0) {
      page.reserved = 0;
      return page;
    }
    if (page.block_size >= huge_block && page.reserved == 1) page.block_size = range.size();
    if (layout.page_start != 0)
      page.blocks = memory_.word_at(bytes, layout.page_start);
    else if (page.block_size >= 8 && page.block_size <= 1024)
      page.blocks += small_blocks_offset;
    const auto all = Range::make(page.blocks, page.reserved * page.block_size);
    if (page.used > page.capacity || page.capacity > page.reserved || page.block_size > range.size() || !all ||
        !range.contains(*all))
      return std::nullopt;
    page.free = memory_.word_at(bytes, 16);
    page.local_free = memory_.word_at(bytes, layout.local_free);
    page.thread_free = memory_.word_at(bytes, layout.thread_free) & ~std::uint64_t{3};
    return page;
  }

  const TargetMemory& memory_;
  PageCache cache_;
  MimallocHeaps found_;
};

/// mi_bin in src/page-queue.c: words of 8 bytes, even numbers of them up to 8, then four sizes to each doubling.
SizeClass kind_of(const MimallocPage& page) {
  SizeClass kind{.size = page.block_size, .least_request = 0, .most_request = page.block_size};
  const std::uint64_t words = page.block_size / 8;
  if (page.reserved == 1)
    kind.least_request = kind.size - std::min(kind.size, slice_bytes - 1);
  else if (words > 8)
    kind.least_request = kind.size - (8 << (std::bit_width(words - 1) - 3)) + 1;
  else if (words > 1)
    kind.least_request = kind.size - (words == 2 ? 8 : 16) + 1;
  return kind;
}

class Walker {
 public:
  Walker(AllocatorWalk& walk, const MimallocHeaps& found) : walk_(walk), found_(found), cache_(walk.memory()) {}

  void run() {
    const std::size_t heap = walk_.add_heap("mimalloc");
    walk_.heap(heap).ranges = found_.segments;
    for (const MimallocPage& page : found_.pages) add_page(heap, page);
    for (const Range& range : found_.free) {
      walk_.heap(heap).free.add(range.size());
      walk_.heap(heap).largest_free = std::max(walk_.heap(heap).largest_free, range.size());
      walk_.reside(heap, range, &PartBytes::free);
    }
    walk_.finish(heap, AllocatorWalk::Rest::Overhead);
  }

 private:
  void add_page(std::size_t heap, const MimallocPage& page) {
    const SizeClass kind = kind_of(page);
    const auto freed = list_at(page, page.thread_free);
    const std::uint64_t cached = std::min<std::uint64_t>(freed.size(), page.used);
    walk_.add(heap, kind, BlockState::Live, page.used - cached);
    walk_.add(heap, kind, BlockState::Cached, cached);
    walk_.add(heap, kind, BlockState::Free, page.reserved - page.used);
    const std::uint64_t size = page.block_size;
    const PartBytes parts{
        .live = (page.used - cached) * size, .cached = cached * size, .free = (page.reserved - page.used) * size};
    const BlockRow row{page.blocks, size, page.reserved};
    std::optional<std::unordered_set<Address>> free;
    const auto state_of = [&](std::uint64_t i) {
      if (!free) free = free_in(page);
      const Address at = row.block(i).begin;
      if (freed.contains(at)) return BlockState::Cached;
      return i < page.capacity && !free->contains(at) ? BlockState::Live : BlockState::Free;
    };
    walk_.reside(heap, page.range, parts, [&] {
      walk_.for_each_there(row, [&](std::uint64_t i) {
        const BlockState state = state_of(i);
        walk_.reside(heap, row.block(i),
                     state == BlockState::Live     ? &PartBytes::live
                     : state == BlockState::Cached ? &PartBytes::cached
                                                   : &PartBytes::free);
      });
    });
    if (walk_.wants(kind, page.range))
      walk_.for_each_wanted(
          kind, row, [&](std::uint64_t i) { walk_.see(heap, kind, row.block(i).begin, row.block(i), state_of(i)); });
  }

  std::unordered_set<Address> free_in(const MimallocPage& page) {
    auto free = list_at(page, page.free);
    free.merge(list_at(page, page.local_free));
    return free;
  }

  /// The blocks of a list of free ones; up to where it leads out of its page (encoded lists do at once).
  std::unordered_set<Address> list_at(const MimallocPage& page, Address at) {
    std::unordered_set<Address> blocks;
    while (at >= page.blocks && at < page.blocks + page.capacity * page.block_size &&
           (at - page.blocks) % page.block_size == 0 && blocks.insert(at).second)
      at = cache_.word(at).value_or(0);
    return blocks;
  }

  AllocatorWalk& walk_;
  const MimallocHeaps& found_;
  PageCache cache_;
};

}  // namespace

MimallocHeaps find_mimalloc(const TargetMemory& memory) { return Finder(memory).find(); }

void walk_mimalloc(const TargetMemory& memory, const HeapOptions& options, HeapReport& report) {
  if (const MimallocHeaps found = find_mimalloc(memory); !found.segments.empty()) {
    AllocatorWalk walk(memory, options, report, "mimalloc");
    Walker(walk, found).run();
  }
  if (std::vector<Range> arenas = find_mimalloc_arenas(memory); !arenas.empty()) {
    AllocatorWalk walk(memory, options, report, "mimalloc");
    const std::size_t heap = walk.add_heap("mimalloc 3");
    walk.heap(heap).ranges = std::move(arenas);
    walk.finish(heap, AllocatorWalk::Rest::Unread);
    report.notes.push_back(
        {"heap_not_walked", "which blocks of mimalloc 3 are live is not known: all of it is unread"});
  }
}

}  // namespace vmscan
