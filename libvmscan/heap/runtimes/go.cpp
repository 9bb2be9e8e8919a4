// Go (gc, 64-bit): the heap is arenas of 64 MiB, from 0xc000000000 (amd64) or 0x4000000000 (arm64) on. A table of 4 Mi
// pointers, in memory of its own, leads from the number of each arena to its metadata (mheap.arenas in
// runtime/mheap.go, with one first level on Linux); numbers count from -2^47 on amd64 and from 0 elsewhere
// (arenaBaseOffset in runtime/malloc.go). A static variable points to the table, so every pointer in the program's data
// is tried, and a table is proved by its entries: each leads to an object, and to 64 MiB that are mapped.
// Goroutines' stacks and, without cgo, those that threads start with (g0) lie in the arenas.
// What else is mapped around the table is the runtime's own, too, as long as no C library is there to map memory: that
// is a guess, as the program may call mmap itself. Seen on 1.19, with symbols and stripped, against runtime.MemStats.
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/heap/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t arena_bytes = 64 << 20, table_bytes = std::uint64_t{8} << 22;
constexpr Address first_arenas[] = {0xc000000000, 0x4000000000};
constexpr Address base_offsets[] = {0xffff800000000000, 0};
constexpr std::size_t most_arenas = 1 << 16;
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
    std::vector<Address> around{table};
    for (const Arena& arena : arenas_) around.push_back(arena.metadata);
    add_summaries(image, around);
    if (!has_c_library()) add_surroundings(around);
  }

  /// The levels are five slices {pointer, length, capacity} in a row, with capacities of their own.
  void add_summaries(Range image, std::vector<Address>& around) {
    constexpr std::size_t bytes = 24 * std::size(summary_levels);
    scan_.for_each_data_run(image, [&](Address at, std::span<const std::byte> data) {
      for (std::size_t i = 0; i + bytes <= data.size(); i += 8)
        if (memory_.word_at(data, i + 16) == summary_levels[0]) add_levels(at + i, data.subspan(i, bytes), around);
    });
  }

  void add_levels(Address at, std::span<const std::byte> slices, std::vector<Address>& around) {
    std::vector<Range> levels;
    for (std::size_t n = 0; n < std::size(summary_levels); ++n) {
      const std::uint64_t capacity = memory_.word_at(slices, 24 * n + 16);
      const auto range = Range::make(memory_.word_at(slices, 24 * n), 8 * capacity);
      if (capacity != summary_levels[n] || memory_.word_at(slices, 24 * n + 8) > capacity || !range ||
          !memory_.mapped(*range))
        return;
      levels.push_back(*range);
    }
    for (const Range& level : levels) {
      scan_.add(level, "Go metadata", fmt::format("pageAlloc.summary at {:#x}", at), "summary of free pages");
      around.push_back(level.begin);
    }
  }

  bool has_c_library() const {
    return std::any_of(scan_.images.begin(), scan_.images.end(), [](const LoadedImage& image) {
      const std::string_view name = file_name(image.mapping->path);
      return name.starts_with("libc.") || name.starts_with("libc-") || name.starts_with("ld-");
    });
  }

  void add_surroundings(const std::vector<Address>& around) {
    std::vector<Range> done;
    for (const Address address : around) {
      const Range reservation = scan_.reservation_with(address);
      if (reservation.empty() || std::find(done.begin(), done.end(), reservation) != done.end()) continue;
      done.push_back(reservation);
      Address at = reservation.begin;
      std::vector<Range> taken;
      for (const RuntimePart& part : scan_.parts)
        if (part.range.overlaps(reservation)) taken.push_back(part.range);
      std::sort(taken.begin(), taken.end(), [](Range a, Range b) { return a.begin < b.begin; });
      for (const Range& part : taken) {
        scan_.add_by_shape({at, part.begin}, "Go metadata",
                           fmt::format("beside the runtime's structure at {:#x}", address));
        at = std::max(at, part.end);
      }
      scan_.add_by_shape({at, reservation.end}, "Go metadata",
                         fmt::format("beside the runtime's structure at {:#x}", address));
    }
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::vector<Arena> arenas_;
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
