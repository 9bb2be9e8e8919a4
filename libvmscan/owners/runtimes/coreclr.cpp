// CoreCLR, the runtime of .NET (src/coreclr/gc/gcpriv.h). Its collector describes each range of objects by a
// heap_segment {allocated, committed, reserved, used, mem, flags, next}, in a table of its own, in malloc's memory
// (frozen objects) or before the objects (until .NET 6), and its static generation_table points to the first of each
// generation. Since .NET 7 all ranges but the frozen ones come from one reservation, of which a static region_allocator
// {start, end, left used, right used, free units, alignment, large alignment, lock (one word or two), left map, its
// end, right map, its end} tells: a map has 32 bits for each unit in use. A card_table_info {users, bytes, next,
// lowest, highest, …} begins the collector's tables for it. None of this is exported; g_dacTable, coreclr_initialize
// and GC_Initialize tell which images hold a collector. Code, and the loader's data between it, is in a memfd with the
// name "doublemapper", or where that is switched off in private executable memory with addresses in that image: a
// guess. The generations of the server collector are not static: since .NET 7 the tables hold its segments, before no
// heap is found. Other data of the loader is not told apart. Seen so on 10.0 (a single file) and 2.0, against
// GC.GetTotalMemory() and the addresses of objects.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

#include "libvmscan/memory/page_cache.h"
#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::size_t most_segments = 1 << 18;
constexpr std::uint64_t least_bytes = 64 << 10, most_flags = 1 << 20, least_unit = 64 << 10;
constexpr std::uint64_t flag_frozen = 1, flag_large = 8, flag_pinned = 512;
constexpr std::string_view code_name = "/memfd:doublemapper";

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory), word_(memory_.word_bytes()) {}

  /// `image`: one that holds a collector.
  void find(Range image) {
    images_.push_back(image);
    const std::vector<Address> objects = scan_.objects_pointed_to(image);
    for (const Address object : objects) follow(object);
    if (memory_.word_bytes() == 8)
      scan_.for_each_data_run(image, [&](Address at, std::span<const std::byte> data) { find_regions(at, data); });
    for (const Address object : objects) look_for_tables(object);
    for (const Heap& heap : heaps_) add_rest(heap);
    heaps_.clear();
  }

  void add_code() {
    for (const Mapping& mapping : memory_.mappings())
      if (mapping.path.starts_with(code_name))
        scan_.add(mapping.range, "CoreCLR code and loader data", "a memfd that only CoreCLR calls so",
                  mapping.execute ? "code" : "data");
      else if (mapping.inode == 0 && !mapping.shared && mapping.path.empty() && mapping.execute &&
               std::ranges::any_of(images_, [&](Range image) { return scan_.calls_into(mapping, image); }))
        scan_.add_by_shape(mapping.range, "CoreCLR code", "executable memory with addresses in CoreCLR's image");
  }

 private:
  struct Heap {
    Range range;
    Address allocator = 0;
  };

  struct Segment {
    Range range;
    std::uint64_t flags = 0;
    Address next = 0;
  };

  std::optional<Segment> segment_at(Address place) {
    if (!scan_.object(place)) return std::nullopt;
    const std::byte* bytes = scan_.bytes(place, 7 * word_);
    if (bytes == nullptr) return std::nullopt;
    const auto word = [&](std::size_t i) { return memory_.word_at({bytes, 7 * word_}, i * word_); };
    const Address allocated = word(0), committed = word(1), reserved = word(2), used = word(3), begin = word(4);
    const std::uint64_t page = memory_.page_bytes();
    if (begin == 0 || begin > allocated || begin > committed || allocated > reserved || committed > reserved ||
        used > reserved || committed % page != 0 || reserved % page != 0 || reserved - begin < least_bytes ||
        word(5) >= most_flags)
      return std::nullopt;
    Segment segment{{begin - begin % page, reserved}, word(5), word(6)};
    if (place < begin && begin - place <= page) segment.range.begin = place - place % page;  // its own first page
    return scan_.reservation_with(begin).contains(segment.range) ? std::optional(segment) : std::nullopt;
  }

  static std::string_view kind_of(std::uint64_t flags) {
    if (flags & flag_frozen) return "CoreCLR frozen objects";
    if (flags & flag_pinned) return "CoreCLR pinned objects";
    return flags & flag_large ? "CoreCLR large objects" : "CoreCLR small objects";
  }

  void follow(Address place) {
    while (place != 0 && seen_.size() < most_segments && !seen_.contains(place)) {
      const auto segment = segment_at(place);
      if (!segment) return;
      seen_.insert(place);
      scan_.add(segment->range, kind_of(segment->flags), fmt::format("heap_segment at {:#x}", place));
      segments_.push_back(segment->range);
      place = segment->next;
    }
  }

  void find_regions(Address at, std::span<const std::byte> data) {
    constexpr std::size_t size = 13 * 8;
    for (std::size_t i = 0; i + size <= data.size(); i += 8)
      if (const auto heap = regions_in(data.subspan(i, size))) heaps_.push_back({*heap, at + i});
  }

  /// The reservation, when these bytes are the region_allocator.
  std::optional<Range> regions_in(std::span<const std::byte> bytes) const {
    const auto word = [&](std::size_t i) { return memory_.word_at(bytes, i * 8); };
    const Range heap{word(0), word(1)};
    const Address left = word(2), right = word(3);
    const std::uint64_t unit = word(5), large = word(6);
    if (heap.begin == 0 || heap.begin > left || left > right || right > heap.end || heap.empty()) return std::nullopt;
    if (!std::has_single_bit(unit) || unit < least_unit || large < unit || large % unit != 0 ||
        (heap.begin | heap.end | left | right) % unit != 0)
      return std::nullopt;
    // The map of what is used from the left, then the one from the right; both may have room behind.
    const auto fits = [&](std::size_t map) {
      return word(map + 1) - word(map) == (left - heap.begin) / unit * 4 &&
             word(map + 3) - word(map + 2) == (heap.end - right) / unit * 4 && memory_.writable(word(map));
    };
    if (!fits(8) && !fits(9)) return std::nullopt;
    return scan_.reservation_with(heap.begin).contains(heap) ? std::optional(heap) : std::nullopt;
  }

  /// What no segment has.
  void add_rest(const Heap& heap) {
    const std::string evidence = fmt::format("region_allocator at {:#x}", heap.allocator);
    Address begin = heap.range.begin;
    const auto add_up_to = [&](Address end) {
      if (begin < end) scan_.add({begin, end}, "CoreCLR free regions", evidence);
    };
    for (const Range& segment : joined(segments_)) {
      const Range part = segment.intersect(heap.range);
      if (part.empty()) continue;
      add_up_to(part.begin);
      begin = std::max(begin, part.end);
    }
    add_up_to(heap.range.end);
  }

  void look_for_tables(Address object) {
    if (object % memory_.page_bytes() != 0 || scan_.half(object).value_or(0) == 0) return;
    const Range of{scan_.word(object + 24).value_or(0), scan_.word(object + 32).value_or(0)};
    const auto heap = std::ranges::find(heaps_, of, &Heap::range);
    const auto tables = Range::make(object, scan_.word(object + 8).value_or(0));
    if (heap == heaps_.end() || !tables || !scan_.reservation_with(object).contains(*tables)) return;
    scan_.add(*tables, "CoreCLR collector's tables", fmt::format("card_table_info at {:#x}", object));
    if (std::ranges::none_of(segments_, [&](Range segment) { return of.contains(segment); }))
      find_segments(*tables, of);
  }

  /// The generations of the server collector are not static: all of the table of segments is looked through, though
  /// some of them are free.
  void find_segments(Range tables, Range heap) {
    for_each_piece(memory_, tables, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + 5 * 8 <= bytes.size(); i += 8)
        if (heap.contains(memory_.word_at(bytes, i + 4 * 8))) follow(at + i);
      return true;
    });
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::size_t word_;
  std::set<Address> seen_;
  std::vector<Range> segments_;
  std::vector<Heap> heaps_;    // with regions
  std::vector<Range> images_;  // that hold a collector
};

}  // namespace

void find_coreclr(RuntimeScan& scan) {
  bool found = false;
  Finder finder(scan);
  for (const ImageSymbols& image : scan.exported)
    if (image.find("g_dacTable") || image.find("coreclr_initialize") || image.find("GC_Initialize")) {
      finder.find(image.bytes().loaded().span);
      found = true;
    }
  if (found) finder.add_code();
}

}  // namespace vmscan
