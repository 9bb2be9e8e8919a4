// V8's tables of pointers: from objects within its sandbox to what lies outside, of code and of JavaScript functions
// (src/sandbox/external-entity-table.h). Each has a reservation of its own, of which segments of 64 KiB are in use. An
// entry has 8 or 16 bytes; a free one holds the number of the next free one, counted from the beginning of the table,
// as 32 bits of its first word, and around it what all free ones have. New segments, and swept ones, have them in a row
// up to their end, so that a segment tells where its table begins. Seen in renderers of Chromium 156 and in node 24.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t segment_bytes = 64 << 10, most_table_bytes = std::uint64_t{1} << 30;
struct EntryFormat {
  std::uint64_t bytes, shift;  // the number is 32 bits from bit `shift` on
};
// External, trusted and shared pointers; those into the heap of cppgc; functions and code.
constexpr EntryFormat formats[] = {{8, 0}, {8, 16}, {16, 0}};
constexpr std::size_t entries = 9;  // at the end of a segment; the last one leads elsewhere
constexpr std::size_t most_segments = 1 << 18;

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory) {}

  void find() {
    const bool v8 = std::any_of(scan_.parts.begin(), scan_.parts.end(),
                                [](const RuntimePart& part) { return part.details.starts_with("V8 "); });
    if (!v8 || memory_.word_bytes() != 8) return;
    for (const Mapping& mapping : memory_.mappings())
      if (may_hold_segments(mapping)) look_at(mapping.range);
    for (const auto& [begin, end] : tables_)
      scan_.add({begin, end_of_use(end)}, "V8 pointer tables",
                fmt::format("numbers of free entries are counted from {:#x} on", begin));
  }

 private:
  bool may_hold_segments(const Mapping& mapping) const {
    return mapping.inode == 0 && !mapping.shared && mapping.read && !mapping.execute && mapping.path.empty() &&
           mapping.range.begin % segment_bytes == 0 && mapping.range.size() % segment_bytes == 0 &&
           !scan_.taken(mapping.range);
  }

  void look_at(Range mapping) {
    Address next = mapping.begin;
    for (const Range& run : memory_.readable(mapping))
      for (Address at = std::max(next, run.begin / segment_bytes * segment_bytes);
           at < run.end && looked_at_ < most_segments; at += segment_bytes, ++looked_at_) {
        next = at + segment_bytes;
        look_at_segment(at);
      }
  }

  void look_at_segment(Address at) {
    for (const EntryFormat& format : formats)
      if (const Address table = table_of(at, format); table != 0) {
        Address& end = tables_[table];
        end = std::max(end, at + segment_bytes);
      }
  }

  /// Where the table of a segment begins, by the numbers in its last entries; 0: they are none.
  Address table_of(Address segment, EntryFormat format) {
    const Address first = segment + segment_bytes - entries * format.bytes;
    const std::byte* found = scan_.bytes(first, entries * format.bytes);
    if (found == nullptr) return 0;
    const std::span<const std::byte> bytes(found, entries * format.bytes);
    const std::uint64_t mask = std::uint64_t{0xffffffff} << format.shift;
    const auto next = [&](std::size_t i) { return (memory_.word_at(bytes, i * format.bytes) & mask) >> format.shift; };
    const auto around = [&](std::size_t i) { return memory_.word_at(bytes, i * format.bytes) & ~mask; };
    const auto second = [&](std::size_t i) { return memory_.word_at(bytes, (i + 1) * format.bytes - 8); };
    for (std::size_t i = 1; i + 1 < entries; ++i)
      if (next(i) != next(0) + i || around(i) != around(0) || (format.bytes == 16 && second(i) != second(0))) return 0;
    if (next(0) == 0 || next(entries - 1) == next(0) + entries - 1) return 0;
    const std::uint64_t distance = (next(0) - 1) * format.bytes;
    if (distance > std::min(first, most_table_bytes)) return 0;
    const Address table = first - distance;
    return table % segment_bytes == 0 && scan_.reservation_with(segment).contains(table) ? table : 0;
  }

  /// Segments without a free entry may follow, up to where the rest of the table is reserved: without one, what follows
  /// is something else that touches.
  Address end_of_use(Address proved) const {
    Address end = proved;
    const Mapping* next = memory_.mapping_of(end);
    for (; next != nullptr && next->accessible() && may_hold_segments(*next) && next->range.begin <= end;
         next = memory_.mapping_of(end))
      end = next->range.end;
    return next != nullptr && !next->accessible() && next->inode == 0 ? end : proved;
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::size_t looked_at_ = 0;
  std::map<Address, Address> tables_;  // where they begin, and the end of the last segment that was found
};

}  // namespace

void find_v8_tables(RuntimeScan& scan) { Finder(scan).find(); }

}  // namespace vmscan
