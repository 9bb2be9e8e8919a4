#include "libvmscan/heap/glibc_arenas.h"

#include <algorithm>
#include <array>
#include <set>

namespace vmscan {
namespace {

constexpr std::size_t most_data_bytes = 16 << 20;  // of one image
constexpr std::size_t bin_count = 127;             // NBINS - 1
constexpr std::size_t most_arenas = 1 << 16, most_boundaries = 1 << 20;
constexpr std::uint64_t most_before_heap = 16 << 20;  // static TLS of a static program is taken from brk first
constexpr std::size_t least_empty_bins = 10;          // in a row: less is no array of bins
constexpr std::size_t longest_head = 0x90;            // of malloc_state, up to `top`
constexpr std::size_t most_counters = 64;
constexpr std::uint64_t most_growth = 1 << 30;  // of the brk heap while it is looked at

bool is_libc(const TargetMemory&, std::string_view path) {
  const std::string_view name = file_name(path);
  return name.starts_with("libc.so") || name.starts_with("libc-2");
}

bool is_program(const TargetMemory& memory, std::string_view path) { return path == memory.facts().target.executable; }

/// What looks like a part of malloc_par.
struct Counters {
  GlibcMapped mapped;
  Address sbrk_base = 0;
};

/// An array of bins: pairs of pointers, both to 2 words before the pair itself when the bin is empty.
class Finder {
 public:
  explicit Finder(const TargetMemory& memory) : memory_(memory) { found_.layout.word = word_ = memory.word_bytes(); }

  GlibcHeaps find() {
    for (const auto place : {is_libc, is_program})  // a static program has its own
      for (const Range& data : memory_.image_data(place))
        if (main_ == 0) look_into(data);
    if (main_ == 0) return {};
    add_arenas();
    return std::move(found_);
  }

 private:
  void look_into(Range data) {
    std::vector<std::byte> bytes;
    for (const Range& run : memory_.readable(data)) {
      bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(run.size(), most_data_bytes)));
      bytes.resize(memory_.read(run.begin, bytes));
      if (main_ == 0) find_bins(run.begin, bytes);
      find_counters(bytes);
    }
  }

  bool empty_bin(Address at, std::span<const std::byte> bytes, std::size_t i) const {
    return memory_.word_at(bytes, i) == at + i - 2 * word_ && memory_.word_at(bytes, i + word_) == at + i - 2 * word_;
  }

  void find_bins(Address at, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i + 2 * word_ <= bytes.size() && main_ == 0;) {
      if (!empty_bin(at, bytes, i)) {
        i += word_;
        continue;
      }
      const std::size_t begin = i;
      for (; i + 2 * word_ <= bytes.size() && empty_bin(at, bytes, i); i += 2 * word_) {
      }
      if ((i - begin) / (2 * word_) >= least_empty_bins) try_around(at, bytes, begin);
    }
  }

  /// The run of empty bins may begin anywhere in the array: bins before it are in use.
  void try_around(Address at, std::span<const std::byte> bytes, std::size_t run) {
    for (std::size_t before = 0; before < bin_count && main_ == 0; ++before) {
      if (run < 2 * word_ * before) return;
      const std::size_t begin = run - 2 * word_ * before;
      if (begin + 2 * word_ * bin_count <= bytes.size()) try_bins(at + begin);
    }
  }

  /// The arena whose array of bins begins at `bins`: its `next` must lead back to it, and its top be a chunk.
  void try_bins(Address bins) {
    const Address top_at = bins - 2 * word_, next_at = bins + 2 * word_ * bin_count + 16;
    const auto top = memory_.word(top_at);
    if (!top || !may_be_top(*top)) return;
    for (std::size_t head = 8; head <= longest_head; head += word_) {
      const Address start = top_at - head;
      const std::size_t next = static_cast<std::size_t>(next_at - start);
      std::vector<Address> ring;
      if (!follow_ring(start, next, ring)) continue;
      main_ = start;
      found_.layout.top = head;
      found_.layout.next = next;
      const std::size_t fast_bytes = (word_ == 8 ? 10 : 11) * word_;  // NFASTBINS; not all versions have them
      found_.layout.fastbins = head >= 8 + fast_bytes ? head - fast_bytes : head;
      ring_ = std::move(ring);
      return;
    }
  }

  /// The brk heap of a process that runs may have grown since its map was read.
  bool may_be_top(Address top) const {
    if (memory_.mapping_of(top) != nullptr) return memory_.writable(top);
    const auto& mappings = memory_.facts().mappings;
    return std::any_of(mappings.begin(), mappings.end(), [top](const Mapping& mapping) {
      return mapping.path == "[heap]" && top >= mapping.range.end && top - mapping.range.end < most_growth;
    });
  }

  /// Follows `next` from `start`. An arena that was made after the map was read is passed by.
  bool follow_ring(Address start, std::size_t next, std::vector<Address>& ring) const {
    ring.push_back(start);
    std::set<Address> seen{start};
    for (Address at = start; ring.size() < most_arenas;) {
      const auto following = memory_.word(at + next);
      if (!following) return false;
      if (*following == start) return true;
      if (*following % word_ != 0 || !is_arena(*following)) return false;
      if (!seen.insert(*following).second || seen.size() >= most_arenas) return false;
      if (memory_.mapping_of(*following) != nullptr) ring.push_back(*following);
      at = *following;
    }
    return false;
  }

  /// An arena that is not the main one lies behind the header of its first heap, which points to it.
  bool is_arena(Address arena) const {
    const Address heap = arena - arena % memory_.page_bytes();
    const bool possible = memory_.mapping_of(arena) == nullptr || memory_.writable(arena);
    return possible && arena != heap && arena - heap <= 16 * word_ && memory_.word(heap) == arena;
  }

  void find_counters(std::span<const std::byte> bytes) {
    const std::uint64_t page = memory_.page_bytes();
    for (std::size_t i = 0; i + 16 + 5 * word_ <= bytes.size() && counters_.size() < most_counters; i += 4) {
      const std::uint32_t blocks = memory_.half_at(bytes, i), limit = memory_.half_at(bytes, i + 4),
                          most = memory_.half_at(bytes, i + 8), fixed = memory_.half_at(bytes, i + 12);
      if (limit == 0 || limit > (1U << 24) || blocks > most || most > limit || fixed > 1) continue;
      const std::size_t sizes = (i + 16 + word_ - 1) / word_ * word_;
      const std::uint64_t used = memory_.word_at(bytes, sizes), peak = memory_.word_at(bytes, sizes + word_);
      if (used > peak || used % page != 0 || peak % page != 0 || (blocks == 0) != (used == 0) ||
          (most == 0) != (peak == 0) || used / page < blocks)
        continue;
      for (const std::size_t behind : {2 * word_, 3 * word_}) {
        const Address base = memory_.word_at(bytes, sizes + behind);
        if (!is_brk_begin(base)) continue;
        counters_.push_back({{blocks, used}, base});
        break;
      }
    }
  }

  /// Other structures may look like malloc_par, such as stdout's with its buffer: the right one tells where the main
  /// arena begins that has so many bytes. While it grows that may be none: nothing of the arena lies before it.
  void choose_counters(const GlibcArena& main) {
    if (counters_.empty()) return;
    const std::uint64_t size = memory_.word(main.top + word_).value_or(0) & ~chunk_flag::all;
    const auto tells_all = [&](const Counters& each) {
      const std::uint64_t bytes = main.top + size - each.sbrk_base;
      return memory_.word(main.address + found_.layout.next + 2 * word_) == bytes ||
             memory_.word(main.address + found_.layout.next + 3 * word_) == bytes;
    };
    const auto best = std::ranges::find_if(counters_, tells_all);
    const Counters& chosen =
        best != counters_.end() ? *best : *std::ranges::min_element(counters_, {}, &Counters::sbrk_base);
    found_.mapped = chosen.mapped;
    sbrk_base_ = chosen.sbrk_base;
  }

  bool is_brk_begin(Address base) const {
    const Mapping* mapping = base == 0 ? nullptr : memory_.mapping_of(base);
    return mapping != nullptr && mapping->write && mapping->inode == 0 &&
           base - mapping->range.begin < most_before_heap;
  }

  void add_arenas() {
    found_.layout.alignment = 16;
    if (word_ == 4 && memory_.word(main_ + found_.layout.top).value_or(8) % 16 == 0) found_.layout.alignment = 8;
    for (std::size_t i = 0; i < ring_.size(); ++i) {
      const Address address = ring_[i];
      found_.arenas.push_back({.number = static_cast<unsigned>(i == 0 ? 0 : ring_.size() - i),
                               .address = address,
                               .top = memory_.word(address + found_.layout.top).value_or(0),
                               .system_bytes = 0,
                               .heaps = {}});
    }
    std::sort(found_.arenas.begin(), found_.arenas.end(),
              [](const GlibcArena& a, const GlibcArena& b) { return a.number < b.number; });
    choose_counters(found_.arenas.front());
    find_heap_bytes();
    add_main_heap(found_.arenas.front());
    add_mapped_heaps();
    for (GlibcArena& arena : found_.arenas) arena.system_bytes = system_bytes(arena);
  }

  /// system_mem stands two or three words behind `next`: it is what the heaps add up to.
  std::uint64_t system_bytes(const GlibcArena& arena) const {
    std::uint64_t sum = 0;
    for (const GlibcHeap& heap : arena.heaps) sum += heap.range.size();
    for (const std::size_t behind : {3 * word_, 2 * word_}) {
      const auto value = memory_.word(arena.address + found_.layout.next + behind);
      if (value && *value >= memory_.page_bytes() && *value % memory_.page_bytes() == 0) return *value;
    }
    return sum;
  }

  void add_main_heap(GlibcArena& arena) {
    // Until the first block is made, an empty bin stands for the top: another allocator may serve the program.
    if (arena.top == arena.address + found_.layout.top) return;
    const Mapping* mapping = memory_.mapping_of(arena.top);
    const auto top = Range::make(arena.top, memory_.word(arena.top + word_).value_or(0) & ~chunk_flag::all);
    const bool whole = mapping != nullptr && top && top->end <= mapping->range.end;
    if (!whole) mapping = sbrk_base_ == 0 ? nullptr : memory_.mapping_of(sbrk_base_);
    if (mapping == nullptr) return;
    const Address end = whole ? top->end : mapping->range.end;
    const bool in_brk = sbrk_base_ != 0 && sbrk_base_ < end && memory_.mapped({sbrk_base_, end});
    GlibcHeap heap{
        .range = {in_brk ? sbrk_base_ : mapping->range.begin, end}, .first_chunk = 0, .reserved = {}, .cut = !whole};
    heap.reserved = {heap.range.begin - heap.range.begin % memory_.page_bytes(), mapping->range.end};
    heap.first_chunk = first_chunk(heap.range.begin, heap.range.end, 0);
    arena.heaps.push_back(heap);
  }

  /// HEAP_MAX_SIZE: 64 MiB, on 32-bit systems 1 MiB, with huge pages 4 of them (mp_.hp_pagesize).
  void find_heap_bytes() {
    constexpr std::array<std::uint64_t, 5> known{std::uint64_t{64} << 20, std::uint64_t{1} << 20,
                                                 std::uint64_t{8} << 20, std::uint64_t{128} << 20,
                                                 std::uint64_t{4} << 30};
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
  std::vector<Counters> counters_;
  std::vector<Address> ring_;
};

}  // namespace

GlibcHeaps find_glibc_heaps(const TargetMemory& memory) { return Finder(memory).find(); }

bool holds_data_of_libc(const TargetMemory& memory) {
  bool any = false;
  for (const auto place : {is_libc, is_program})
    for (const Range& data : memory.image_data(place)) {
      for (const Range& run : memory.readable(data))
        if (memory.word(run.begin)) return true;
      any = true;
    }
  return !any;
}

}  // namespace vmscan
