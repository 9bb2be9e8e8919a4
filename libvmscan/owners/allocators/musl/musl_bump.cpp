#include "libvmscan/owners/allocators/musl/musl_bump.h"

#include <algorithm>
#include <array>

namespace vmscan {
namespace {

constexpr std::size_t most_data_bytes = 4 << 20;
constexpr std::uint64_t most_growth = 1 << 30;  // of the brk heap while it is looked at
constexpr std::uint32_t most_steps = 12;        // of mmap_step: areas of 64 pages and no more

bool is_program(const TargetMemory& memory, std::string_view path) { return path == memory.facts().target.executable; }

/// A dynamic program has musl's whole malloc in its C library.
bool is_static(const TargetMemory& memory) {
  return std::ranges::none_of(memory.mappings(), [](const Mapping& mapping) {
    const std::string_view name = file_name(mapping.path);
    return name.starts_with("ld-") || name.starts_with("ld.so") || name.starts_with("libc.");
  });
}

class Finder {
 public:
  explicit Finder(const TargetMemory& memory) : memory_(memory), word_(memory.word_bytes()) {}

  MuslBump find() {
    if (!is_static(memory_)) return {};
    std::vector<std::byte> bytes;
    for (const Range& data : memory_.image_data(is_program))
      for (const Range& run : memory_.readable(data)) {
        bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(run.size(), most_data_bytes)));
        bytes.resize(memory_.read(run.begin, bytes));
        for (std::size_t i = 0; i + 3 * word_ <= bytes.size() && found_.state == 0; i += word_)
          try_at(run.begin + i, bytes, i);
      }
    return std::move(found_);
  }

 private:
  void try_at(Address at, std::span<const std::byte> bytes, std::size_t i) {
    const std::array<Address, 3> words{memory_.word_at(bytes, i), memory_.word_at(bytes, i + word_),
                                       memory_.word_at(bytes, i + 2 * word_)};
    if (std::ranges::find(words, Address{0}) != words.end()) return;
    for (std::size_t brk = 0; brk < 3 && found_.state == 0; ++brk) {
      const Address a = words[(brk + 1) % 3], b = words[(brk + 2) % 3];
      const Address cur = std::min(a, b), end = std::max(a, b);
      if (words[brk] == end)
        accept_brk(at, end, cur);
      else if (step_beside(bytes, i))
        accept_mapped(at, words[brk], end, cur);
    }
  }

  /// mmap_step, which counts the areas that were larger than what was asked for: none where blocks are small.
  bool step_beside(std::span<const std::byte> bytes, std::size_t i) const {
    const auto possible = [&](std::size_t at) { return memory_.half_at(bytes, at) <= most_steps; };
    return (i >= word_ && possible(i - word_)) || (i + 4 * word_ <= bytes.size() && possible(i + 3 * word_));
  }

  std::uint64_t page_up(Address address) const {
    const std::uint64_t page = memory_.page_bytes();
    return (address + page - 1) / page * page;
  }

  /// What brk has given up to `end`; empty: `end` is not where that ends.
  Range brk_area(Address end) const {
    if (end % memory_.page_bytes() != 0) return {};
    for (const Mapping& mapping : memory_.mappings()) {
      const bool brk = mapping.path == "[heap]" || (mapping.path.empty() && mapping.inode == 0);
      if (!brk || !mapping.write || mapping.shared || mapping.range.begin >= end) continue;
      const bool grown = mapping.path == "[heap]" && end - mapping.range.begin < mapping.range.size() + most_growth;
      if (mapping.range.end != end && !grown) continue;
      Range area{mapping.range.begin, std::min(end, mapping.range.end)};
      const Address begin = page_up(memory_.facts().brk_start);
      if (area.contains(begin)) area.begin = begin;
      return area;
    }
    return {};
  }

  void accept_brk(Address at, Address end, Address cur) {
    const Range area = brk_area(end);
    if (area.empty() || cur <= area.begin) return;
    found_ = {.state = at, .areas = {{area, std::min(cur, area.end)}}};
  }

  void accept_mapped(Address at, Address brk, Address end, Address cur) {
    const std::uint64_t page = memory_.page_bytes();
    const Range before = brk_area(brk);
    const bool no_brk = before.empty() && brk == page_up(memory_.facts().brk_start);
    if ((before.empty() && !no_brk) || end % page != 0 || end - cur > page << (most_steps / 2)) return;
    const Mapping* mapping = memory_.mapping_of(end - 1);
    if (mapping == nullptr || mapping->inode != 0 || mapping->shared || !mapping->write || !mapping->path.empty() ||
        cur < mapping->range.begin)
      return;
    found_ = {.state = at, .areas = {}, .mapped = true};
    if (!before.empty()) found_.areas.push_back({before, before.end});
    found_.areas.push_back({{cur - cur % page, end}, cur});
    std::ranges::sort(found_.areas, {}, [](const MuslBump::Area& area) { return area.range.begin; });
  }

  const TargetMemory& memory_;
  std::size_t word_;
  MuslBump found_;
};

}  // namespace

MuslBump find_musl_bump(const TargetMemory& memory) { return Finder(memory).find(); }

void walk_musl_bump(const TargetMemory& memory, const HeapOptions& options, HeapReport& report) {
  if (!report.heaps.empty()) return;
  const MuslBump found = find_musl_bump(memory);
  if (found.state == 0) return;
  AllocatorWalk walk(memory, options, report, "musl");
  const std::size_t heap = walk.add_heap("musl bump areas");
  HeapTotals& totals = walk.heap(heap);
  for (const MuslBump::Area& area : found.areas) {
    totals.ranges.push_back(area.range);
    const Range used{area.range.begin, area.used_to}, rest{area.used_to, area.range.end};
    if (!used.empty()) totals.live.add(used.size());
    if (options.list_address && used.contains(*options.list_address))
      report.blocks.push_back({.address = used.begin, .size = used.size(), .heap = heap});
    if (!rest.empty()) totals.free.add(rest.size());
    totals.top += rest.size();
    totals.largest_free = std::max(totals.largest_free, rest.size());
    walk.reside(heap, used, &PartBytes::live);
    walk.reside(heap, rest, &PartBytes::free);
  }
  walk.finish(heap, AllocatorWalk::Rest::Unread);
  report.notes.push_back({"heap_areas_only",
                          "this program never frees, and musl's malloc tells no blocks apart then: the used part of "
                          "each of its areas counts as one block"});
  if (found.mapped)
    report.shortfalls.push_back(
        {.allocator = "musl", .figures = HeapShortfall::Figures::Blocks, .blocks = {}, .bytes = {}});
}

}  // namespace vmscan
