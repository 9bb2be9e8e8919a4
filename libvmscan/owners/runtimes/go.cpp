// Go (gc, 64-bit): the heap is arenas of 64 MiB, from 0xc000000000 (amd64) or 0x4000000000 (arm64) on. A table of 4 Mi
// pointers, in memory of its own, leads from the number of each arena to its metadata (mheap.arenas in
// runtime/mheap.go, with one first level on Linux); numbers count from -2^47 on amd64 and from 0 elsewhere
// (arenaBaseOffset in runtime/malloc.go). A static variable points to the table, so every pointer in the program's data
// is tried, and a table is proved by its entries: each leads to an object, and to 64 MiB that are mapped.
// Goroutines' stacks and, without cgo, those that threads start with (g0) lie in the arenas.
// An arena's metadata (heapArena) holds, at the same place for all, one pointer for each of its pages of 8 KiB to the
// span that has it, {next, previous, list, first address, pages, …}, which leads back. Spans and other small things lie
// in chunks of 256 KiB (persistentalloc), each of which begins with the address of the one before; a static variable
// has the last. The program may map memory beside all that: what no structure tells is nobody's. Seen on 1.19, with
// symbols and stripped, against runtime.MemStats.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "libvmscan/memory/page_cache.h"
#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t arena_bytes = 64 << 20, table_bytes = std::uint64_t{8} << 22;
constexpr Address first_arenas[] = {0xc000000000, 0x4000000000};
constexpr Address base_offsets[] = {0xffff800000000000, 0};
constexpr std::size_t most_arenas = 1 << 16;
constexpr std::uint64_t go_page_bytes = 8192, pages_of_arena = arena_bytes / go_page_bytes;
constexpr std::uint64_t most_before_spans = 4 << 20, behind_spans = 4 << 10, chunk_bytes = 256 << 10;
constexpr std::size_t span_start = 24, span_pages = 32, pages_tried = 64, most_chunks = 1 << 16;
// Entries of the levels of the summary of free pages (pageAlloc.summary), of 8 bytes each.
constexpr std::uint64_t summary_levels[] = {1 << 14, 1 << 17, 1 << 20, 1 << 23, 1 << 26};

struct Arena {
  Address address = 0, metadata = 0;
};

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory) {}

  bool find(Range image) {
    for (const Address table : scan_.objects_pointed_to(image))
      if (table % memory_.page_bytes() == 0 && is_table(table)) {
        add(table, image);
        return true;
      }
    return false;
  }

 private:
  bool is_table(Address table) {
    const auto range = Range::make(table, table_bytes);
    const Mapping* mapping = memory_.mapping_of(table);
    if (!range || mapping->inode != 0 || mapping->shared || !memory_.mapped(*range)) return false;
    for (const Address offset : base_offsets)
      if (read_table(*range, offset)) return true;
    return false;
  }

  /// Every entry that is not 0 must lead to an arena.
  bool read_table(Range table, Address offset) {
    arenas_.clear();
    std::vector<std::byte> bytes(1 << 16);
    for (Range run : memory_.readable(table)) {
      while (!run.empty()) {
        const std::size_t count = memory_.read(
            run.begin, std::span(bytes).first(static_cast<std::size_t>(std::min<std::uint64_t>(run.size(), 1 << 16))));
        for (std::size_t i = 0; i + 8 <= count; i += 8) {
          const Address metadata = memory_.word_at(bytes, i);
          if (metadata == 0) continue;
          const Address address = (run.begin + i - table.begin) / 8 * arena_bytes + offset;
          const auto arena = Range::make(address, arena_bytes);
          if (!scan_.object(metadata) || !arena || !memory_.mapped(*arena) || arenas_.size() >= most_arenas)
            return false;
          arenas_.push_back({address, metadata});
        }
        run.begin += count > 0 ? count : memory_.page_bytes();  // a core may have holes
      }
    }
    return !arenas_.empty();
  }

  void add(Address table, Range image) {
    for (const Arena& arena : arenas_)
      scan_.add({arena.address, arena.address + arena_bytes}, "Go arena",
                fmt::format("the table of arenas at {:#x} has it, with metadata at {:#x}", table, arena.metadata));
    scan_.add({table, table + table_bytes}, "Go metadata", fmt::format("the table of arenas at {:#x}", table),
              "table of arenas");
    add_summaries(image);
    add_metadata();
    add_chunks(image);
  }

  /// The levels are five slices {pointer, length, capacity} in a row, with capacities of their own.
  void add_summaries(Range image) {
    constexpr std::size_t bytes = 24 * std::size(summary_levels);
    scan_.for_each_data_run(image, [&](Address at, std::span<const std::byte> data) {
      for (std::size_t i = 0; i + bytes <= data.size(); i += 8)
        if (memory_.word_at(data, i + 16) == summary_levels[0]) add_levels(at + i, data.subspan(i, bytes));
    });
  }

  void add_levels(Address at, std::span<const std::byte> slices) {
    std::vector<Range> levels;
    for (std::size_t n = 0; n < std::size(summary_levels); ++n) {
      const std::uint64_t capacity = memory_.word_at(slices, 24 * n + 16);
      const auto range = Range::make(memory_.word_at(slices, 24 * n), 8 * capacity);
      if (capacity != summary_levels[n] || memory_.word_at(slices, 24 * n + 8) > capacity || !range ||
          !memory_.mapped(*range))
        return;
      levels.push_back(*range);
    }
    for (const Range& level : levels)
      scan_.add(level, "Go metadata", fmt::format("pageAlloc.summary at {:#x}", at), "summary of free pages");
  }

  /// The metadata of each arena, up to the end of its pointers to spans, which prove it.
  void add_metadata() {
    std::optional<std::uint64_t> before_spans;
    for (const Arena& arena : arenas_)
      if (before_spans = find_spans(arena); before_spans) break;
    if (!before_spans) return;
    for (const Arena& arena : arenas_) {
      note_spans(arena, arena.metadata + *before_spans);
      const auto range = Range::make(arena.metadata, *before_spans + 8 * pages_of_arena + behind_spans);
      if (range && scan_.reservation_with(arena.metadata).contains(*range))
        scan_.add(*range, "Go metadata", fmt::format("heapArena of the arena at {:#x}", arena.address), "of an arena");
    }
  }

  /// How far behind the beginning of the metadata the pointers to spans begin.
  std::optional<std::uint64_t> find_spans(const Arena& arena) {
    std::optional<std::uint64_t> found;
    for_each_piece(memory_, {arena.metadata, arena.metadata + most_before_spans},
                   [&](Address at, std::span<const std::byte> bytes) {
                     for (std::size_t i = 0; i + 8 <= bytes.size() && !found; i += 8)
                       if (has_page(memory_.word_at(bytes, i), arena.address) && note_spans(arena, at + i))
                         found = at + i - arena.metadata;
                     return !found;
                   });
    return found;
  }

  /// Whether the span has that page of the heap.
  bool has_page(Address span, Address page) {
    if (span == 0 || !scan_.object(span)) return false;
    const auto start = scan_.word(span + span_start), pages = scan_.word(span + span_pages);
    return start && pages && *pages <= pages_of_arena * most_arenas && page >= *start &&
           (page - *start) / go_page_bytes < *pages;
  }

  /// False when one of the first pointers leads to another page's span.
  bool note_spans(const Arena& arena, Address pointers) {
    for (std::size_t i = 0; i < pages_tried; ++i) {
      const Address span = scan_.word(pointers + 8 * i).value_or(0);
      if (span == 0) continue;
      if (!has_page(span, arena.address + i * go_page_bytes)) return false;
      spans_.insert(span);
    }
    return true;
  }

  void add_chunks(Range image) {
    for (const Address last : scan_.objects_pointed_to(image)) {
      std::set<Address> chunks;
      Address at = last;
      for (; at != 0 && is_chunk(at) && chunks.size() < most_chunks && chunks.insert(at).second;)
        at = scan_.word(at).value_or(1);
      const bool holds_spans = std::ranges::any_of(chunks, [&](Address chunk) {
        const auto span = spans_.lower_bound(chunk);
        return span != spans_.end() && *span - chunk < chunk_bytes;
      });
      if (at != 0 || !holds_spans) continue;
      for (const Address chunk : chunks)
        scan_.add({chunk, chunk + chunk_bytes}, "Go metadata", fmt::format("persistentChunks from {:#x} on", last));
      return;
    }
  }

  bool is_chunk(Address at) const {
    const auto range = Range::make(at, chunk_bytes);
    return at % memory_.page_bytes() == 0 && range && scan_.reservation_with(at).contains(*range);
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::vector<Arena> arenas_;
  std::set<Address> spans_;  // some of them
};

}  // namespace

void find_go(RuntimeScan& scan) {
  const bool maybe = scan.memory.word_bytes() == 8 &&
                     std::any_of(std::begin(first_arenas), std::end(first_arenas),
                                 [&](Address address) { return scan.memory.mapping_of(address) != nullptr; });
  if (!maybe) return;
  for (const LoadedImage& image : scan.images)
    if (Finder(scan).find(image.span)) return;
}

}  // namespace vmscan
