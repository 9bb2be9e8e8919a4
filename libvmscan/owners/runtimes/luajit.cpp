// LuaJIT: its allocator is a dlmalloc of its own (lj_alloc.c) over segments of memory from mmap. A segment is told by
// {begin, size, next}: the newest one within the allocator's state, in the first KiB of a page of the oldest one, and
// each older one 48 bytes or somewhat more before its own end. Blocks with a mapping of their own begin with {1, size +
// 2} and end with a fencepost. Nothing of this is exported; luaJIT_setmode tells LuaJIT's image. Seen on 2.1 (Debian
// 12) against collectgarbage("count").
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t nearest_record = 48, farthest_record = 96, granularity = 64 << 10, state_bytes = 1 << 10;
constexpr std::uint64_t direct_pad = 32, in_use = 2, fencepost = 0xb, most_bytes = std::uint64_t{1} << 40;
constexpr std::size_t most_segments = 1 << 16, most_pages = 1 << 15;

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory) {}

  void find() {
    for (const Mapping& mapping : memory_.mappings()) {
      if (mapping.inode != 0 || mapping.shared || !mapping.write || !mapping.path.empty()) continue;
      for (std::uint64_t back = nearest_record; back <= farthest_record && back < mapping.range.size(); back += 8)
        follow(mapping.range.end - back);
      look_at_direct(mapping.range);
      look_for_states(mapping.range);
    }
    for (const auto& [begin, segment] : segments_)
      scan_.add(segment, "LuaJIT heap", fmt::format("segment of lj_alloc at {:#x}", begin));
  }

 private:
  std::uint64_t word(Address address) { return scan_.word(address).value_or(0); }

  /// The segment that a record describes; empty when it is none.
  Range segment_at(Address record) {
    const std::uint64_t size = word(record + 8);
    const auto range = Range::make(word(record), size);
    const bool plausible = range && range->begin != 0 && range->begin % memory_.page_bytes() == 0 && size != 0 &&
                           size % granularity == 0 && size <= most_bytes && memory_.mapped(*range);
    return plausible ? *range : Range{};
  }

  /// Follows a chain of records, each at the end of the segment that it describes. False: there is none.
  bool follow(Address record) {
    std::size_t found = 0;
    for (; record != 0 && segments_.size() < most_segments; record = word(record + 16)) {
      const Range segment = segment_at(record);
      if (segment.empty() || !near_end(segment, record)) return found > 0;
      if (!segments_.emplace(segment.begin, segment).second) return true;
      ++found;
    }
    return found > 0;
  }
  static bool near_end(Range segment, Address record) {
    return segment.contains(record) && segment.end - record >= nearest_record &&
           segment.end - record <= farthest_record;
  }

  /// The state holds the newest segment, and leads to the others. It lies where the first segment began, which may have
  /// grown downwards since.
  void look_for_states(Range mapping) {
    for (const Range& run : memory_.readable(mapping))
      for (Address at = run.begin; at < run.end && pages_left_ > 0; at += memory_.page_bytes(), --pages_left_)
        look_at_page(at);
  }

  void look_at_page(Address at) {
    std::array<std::byte, state_bytes> page;
    const std::byte* found = scan_.bytes(at, page.size());
    if (found == nullptr) return;
    std::copy_n(found, page.size(), page.begin());
    for (std::size_t i = 0; i + 16 <= page.size(); i += 8) {
      const Address begin = memory_.word_at(page, i);
      const std::uint64_t size = memory_.word_at(page, i + 8);
      if (begin != 0 && begin % memory_.page_bytes() == 0 && size != 0 && size % granularity == 0)
        look_at_state(at + i);
    }
  }

  void look_at_state(Address at) {
    const Range newest = segment_at(at);
    if (newest.empty() || !memory_.writable(newest.begin)) return;
    const Address next = word(at + 16);
    if (next == 0 ? newest.contains(at) : follow(next)) segments_.emplace(newest.begin, newest);
  }

  void look_at_direct(Range mapping) {
    for (Address begin = mapping.begin; begin < mapping.end;) {
      const std::uint64_t head = word(begin + 8), size = (head & ~in_use) + direct_pad;
      const auto block = Range::make(begin, size);
      if (word(begin) != 1 || (head & 7) != in_use || !block || size % memory_.page_bytes() != 0 ||
          block->end > mapping.end || word(block->end - direct_pad + 8) != fencepost)
        return;
      scan_.add(*block, "LuaJIT heap", fmt::format("block with a mapping of its own at {:#x}", begin));
      begin = block->end;
    }
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::map<Address, Range> segments_;
  std::size_t pages_left_ = most_pages;
};

}  // namespace

void find_luajit(RuntimeScan& scan) {
  if (scan.memory.word_bytes() == 8 &&
      std::any_of(scan.exported.begin(), scan.exported.end(),
                  [](const ImageSymbols& image) { return image.find("luaJIT_setmode").has_value(); }))
    Finder(scan).find();
}

}  // namespace vmscan
