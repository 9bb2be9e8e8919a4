#include "libvmscan/owners/allocators/glibc/glibc_arenas.h"

#include <algorithm>
#include <array>
#include <set>

#include "libvmscan/owners/allocators/glibc/glibc_places.h"
#include "libvmscan/owners/allocators/glibc/glibc_search.h"

namespace vmscan {
namespace {

constexpr std::size_t most_arenas = 1 << 16, most_boundaries = 1 << 20;

class Finder {
 public:
  explicit Finder(const TargetMemory& memory) : memory_(memory) { found_.layout.word = word_ = memory.word_bytes(); }

  GlibcHeaps find() {
    const auto places = find_glibc_places(memory_);
    if (!places) return {};
    const Address top_at = places->main_arena + places->top;
    const auto top = memory_.word(top_at);
    found_.main_swapped_out = !top && memory_.facts().pages.count({top_at, top_at + word_}).swapped > 0;
    if (top.value_or(0) == 0) return std::move(found_);  // malloc was never used
    main_ = places->main_arena;
    found_.layout.top = places->top;
    found_.layout.next = places->next;
    const std::size_t fast_bytes = (word_ == 8 ? 10 : 11) * word_;  // NFASTBINS; not all versions have them
    found_.layout.fastbins = places->top >= 8 + fast_bytes ? places->top - fast_bytes : places->top;
    counters_ = places->counters;
    follow_ring();
    add_arenas();
    return std::move(found_);
  }

 private:
  /// Follows `next` from the main arena. An arena that was made after the map was read is passed by.
  void follow_ring() {
    ring_.push_back(main_);
    std::set<Address> seen{main_};
    found_.ring_closed = false;
    for (Address at = main_; seen.size() < most_arenas;) {
      const Address following = memory_.word(at + found_.layout.next).value_or(0);
      found_.ring_closed = following == main_;
      if (found_.ring_closed || !may_be_mapped_arena(memory_, following) || !seen.insert(following).second) return;
      if (memory_.mapping_of(following) != nullptr) ring_.push_back(following);
      at = following;
    }
  }

  /// In memory, other structures may look like malloc_par, such as stdout's with its buffer: the right one tells where
  /// the main arena begins that has so many bytes. While it grows that may be none: nothing of the arena lies before
  /// it.
  void choose_counters(const GlibcArena& main) {
    struct Choice : GlibcCounters {
      Address place = 0;
    };
    std::vector<Choice> all;
    for (const Address place : counters_)
      if (const auto counters = read_glibc_counters(memory_, place)) all.push_back({*counters, place});
    if (all.empty()) return;
    const std::uint64_t size = memory_.word(main.top + word_).value_or(0) & ~chunk_flag::all;
    const auto tells_all = [&](const Choice& each) {
      const std::uint64_t bytes = main.top + size - each.sbrk_base;
      return memory_.word(main.address + found_.layout.next + 2 * word_) == bytes ||
             memory_.word(main.address + found_.layout.next + 3 * word_) == bytes;
    };
    const auto best = std::ranges::find_if(all, tells_all);
    const Choice& chosen = best != all.end() ? *best : *std::ranges::min_element(all, {}, &Choice::sbrk_base);
    found_.counters = chosen.place;
    found_.mapped = {chosen.blocks, chosen.bytes};
    sbrk_base_ = chosen.sbrk_base;
  }

  void add_arenas() {
    found_.layout.alignment = 16;
    if (word_ == 4 && memory_.word(main_ + found_.layout.top).value_or(8) % 16 == 0) found_.layout.alignment = 8;
    for (std::size_t i = 0; i < ring_.size(); ++i) {
      const Address address = ring_[i];
      found_.arenas.push_back({.number = static_cast<unsigned>(i == 0 ? 0 : ring_.size() - i),
                               .address = address,
                               .top = memory_.word(address + found_.layout.top).value_or(0),
                               .system_bytes = {},
                               .heaps = {}});
    }
    std::sort(found_.arenas.begin(), found_.arenas.end(),
              [](const GlibcArena& a, const GlibcArena& b) { return a.number < b.number; });
    choose_counters(found_.arenas.front());
    find_system_bytes();
    find_heap_bytes();
    add_main_heap(found_.arenas.front());
    add_mapped_heaps();
  }

  /// It stands three words behind `next`; before 2.23, which has no attached_threads, two.
  void find_system_bytes() {
    const std::uint64_t page = memory_.page_bytes();
    const std::uint64_t second = memory_.word(main_ + found_.layout.next + 2 * word_).value_or(0);
    found_.layout.system = found_.layout.next + (second >= page && second % page == 0 ? 2 : 3) * word_;
    for (GlibcArena& arena : found_.arenas) {
      const auto value = memory_.word(arena.address + found_.layout.system);
      // brk may begin within a page.
      if (value && *value >= page && (*value % page == 0 || arena.number == 0)) arena.system_bytes = *value;
    }
  }

  /// What lies together from there on: mappings that touch, of the same name.
  Address end_of_run(const Mapping& first) const {
    Address end = first.range.end;
    for (const Mapping* next = memory_.mapping_of(end);
         next != nullptr && next->inode == 0 && !next->shared && next->path == first.path;
         next = memory_.mapping_of(end))
      end = next->range.end;
    return end;
  }

  /// In a process that runs, the pointer may have moved and the header behind it not be written yet: it ends a page.
  std::optional<Range> read_top(GlibcArena& arena) const {
    constexpr int most_looks = 8;
    for (int look = 0; look < most_looks; ++look) {
      const auto top = Range::make(arena.top, memory_.word(arena.top + word_).value_or(0) & ~chunk_flag::all);
      if (top && top->size() >= found_.layout.least_chunk() && top->end % memory_.page_bytes() == 0) return top;
      arena.top = memory_.word(arena.address + found_.layout.top).value_or(0);
    }
    return std::nullopt;
  }

  /// Where the main arena begins in brk, or where it began in a mapping. It may go on elsewhere.
  void add_main_heap(GlibcArena& arena) {
    // Until the first block is made, an empty bin stands for the top: another allocator may serve the program.
    if (arena.top == arena.address + found_.layout.top) return;
    const Mapping* mapping = memory_.mapping_of(sbrk_base_ != 0 ? sbrk_base_ : arena.top);
    if (mapping == nullptr) return;
    const Address begin = sbrk_base_ != 0 ? sbrk_base_ : mapping->range.begin, run_end = end_of_run(*mapping);
    const auto top = read_top(arena);
    const bool in_brk = mapping->path == "[heap]";
    GlibcHeap heap{.range = {begin, run_end}, .first_chunk = 0, .reserved = {}, .cut = false};
    heap.first_chunk = first_chunk(begin, run_end, 0);
    const bool inside = top && top->begin >= begin && top->end <= run_end;
    // gcore leaves out what must not be dumped: malloc's count bridges such a hole.
    const bool counted = top && top->end > begin && arena.system_bytes == top->end - begin;
    if (counted || (inside && (in_brk || may_reach(arena, top->end - begin))))
      heap.range.end = top->end;
    else if (const Address end =
                 goes_on_elsewhere() ? end_of_glibc_piece(memory_, found_, heap.first_chunk, run_end) : 0)
      heap.range.end = end;
    else if (in_brk && arena.top >= begin)
      heap.cut = true;
    else
      return;
    const Mapping* last = memory_.mapping_of(heap.range.end - 1);
    const bool at_top = top && top->end == heap.range.end;
    heap.reserved = {begin - begin % memory_.page_bytes(),
                     at_top && last != nullptr && in_brk ? last->range.end : heap.range.end};
    arena.heaps.push_back(heap);
  }

  /// NONCONTIGUOUS_BIT in the flags.
  bool goes_on_elsewhere() const {
    std::array<std::byte, 4> flags{};
    return memory_.read(main_ + 4, flags) == 4 && (memory_.half_at(flags, 0) & 2) != 0;
  }
  bool may_reach(const GlibcArena& arena, std::uint64_t bytes) const {
    return bytes <= arena.system_bytes.value_or(bytes);
  }

  /// HEAP_MAX_SIZE: 64 MiB, on 32-bit systems 1 MiB, with huge pages 4 of them (mp_.hp_pagesize).
  void find_heap_bytes() {
    constexpr std::array<std::uint64_t, 6> known{std::uint64_t{64} << 20, std::uint64_t{1} << 20,
                                                 std::uint64_t{8} << 20,  std::uint64_t{128} << 20,
                                                 std::uint64_t{4} << 30,  std::uint64_t{2} << 30};
    for (const std::uint64_t size : known) {
      const bool all = std::all_of(found_.arenas.begin() + 1, found_.arenas.end(), [&](const GlibcArena& arena) {
        const Address first = arena.address - arena.address % memory_.page_bytes(), last = arena.top - arena.top % size;
        return first % size == 0 && memory_.word(last) == arena.address;
      });
      if (all && found_.arenas.size() > 1) {
        found_.layout.heap_bytes = size;
        return;
      }
    }
    if (found_.arenas.size() > 1) found_.layout.heap_bytes = word_ == 4 ? known[1] : known[0];
  }

  /// Every boundary in writable memory is looked at, not only the chain of `prev`: a broken chain loses nothing.
  void add_mapped_heaps() {
    const std::uint64_t size = found_.layout.heap_bytes;
    if (size == 0) return;
    std::size_t boundaries = 0;
    for (const Mapping& mapping : memory_.facts().mappings) {
      if (!mapping.write || mapping.shared || mapping.inode != 0) continue;
      for (const Range& run : memory_.readable(mapping.range)) {
        const std::uint64_t into = run.begin % size;
        auto at = Range::make(run.begin - into, into == 0 ? 0 : size);
        for (; at && run.contains(at->end) && boundaries < most_boundaries; at = Range::make(at->end, size)) {
          add_mapped_heap(at->end);
          ++boundaries;
        }
      }
    }
    for (GlibcArena& arena : found_.arenas)
      std::sort(arena.heaps.begin(), arena.heaps.end(),
                [](const GlibcHeap& a, const GlibcHeap& b) { return a.range.begin < b.range.begin; });
  }

  void add_mapped_heap(Address begin) {
    const auto owner = memory_.word(begin), used = memory_.word(begin + 2 * word_);
    if (!owner || !used) return;
    const auto arena = std::find_if(found_.arenas.begin() + 1, found_.arenas.end(),
                                    [&](const GlibcArena& each) { return each.address == *owner; });
    const auto range = Range::make(begin, *used);
    const auto reserved = Range::make(begin, found_.layout.heap_bytes);
    if (arena == found_.arenas.end() || !range || !reserved || *used < memory_.page_bytes() ||
        *used > found_.layout.heap_bytes || !memory_.mapped(*range))
      return;
    const Address from =
        range->contains(arena->address) ? arena->address + found_.layout.next + 3 * word_ : begin + 4 * word_;
    arena->heaps.push_back({.range = *range,
                            .first_chunk = first_chunk(from, range->end, chunk_flag::other_arena),
                            .reserved = *reserved,
                            .cut = false});
  }

  /// The first address behind `from` where a chunk makes sense: its size leads to the next, and that one's, too.
  Address first_chunk(Address from, Address end, std::uint64_t flags) const {
    const GlibcLayout& layout = found_.layout;
    // The break may begin anywhere in a page where ld.so was started by hand (before 2.35).
    const auto aligned = Range::make(from, word_ - 1);
    for (Address at = aligned ? aligned->end / word_ * word_ : end; at < end && at - from <= 16 * word_; at += word_)
      if (layout.aligned(at) && begins_chunks(at, end, flags)) return at;
    return 0;
  }

  bool begins_chunks(Address at, Address end, std::uint64_t flags) const {
    for (int i = 0; i < 3; ++i) {
      const auto value = memory_.word(at + word_);
      if (!value) return false;
      const std::uint64_t size = *value & ~chunk_flag::all;
      if (!found_.layout.possible_size(size) || size > end - at) return i > 0 && size < found_.layout.least_chunk();
      // A free chunk does not tell that it is not the main arena's.
      const std::uint64_t told = *value & chunk_flag::all & ~flags;
      if (i == 0 && told != chunk_flag::previous_in_use) return false;
      at += size;
      if (at == end) return true;
    }
    return true;
  }

  const TargetMemory& memory_;
  std::size_t word_ = 8;
  GlibcHeaps found_;
  Address main_ = 0, sbrk_base_ = 0;
  std::vector<Address> counters_;
  std::vector<Address> ring_;
};

}  // namespace

std::uint64_t GlibcArena::found_bytes() const {
  std::uint64_t sum = 0;
  for (const GlibcHeap& heap : heaps) sum += heap.range.size();
  return sum;
}

GlibcHeaps find_glibc_arenas(const TargetMemory& memory) { return Finder(memory).find(); }

}  // namespace vmscan
