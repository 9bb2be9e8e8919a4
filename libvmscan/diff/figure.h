// One number of a summary, and its name: "heap.private_ws" is what all heaps together have in RAM alone,
// "heap.live[48]" the live bytes in blocks that a request of 48 bytes gets.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "libvmscan/base/result.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan {

/// What can be read off a row of the summary, or off the blocks in the heaps. One of the members is set.
struct Measure {
  std::string_view name;
  std::string_view title;
  bool in_bytes = true;  // false: a number of things
  Bytes TypeTotal::*of_total = nullptr;
  Bytes Usage::*of_usage = nullptr;
  std::uint64_t BlockSum::*of_live = nullptr;  // "heap" alone has it

  Bytes of(const TypeTotal& row) const { return of_usage ? row.usage.*of_usage : row.*of_total; }
};

/// size, the columns of Usage, count (of regions), blocks, largest; in the order of tables.
std::span<const Measure> all_measures();
/// live and live_blocks: what the program has allocated and not freed.
std::span<const Measure> heap_measures();
/// By name, in any case; "-" for "_" and "regions" for "count" are understood.
const Measure* find_measure(std::string_view name);

struct Figure {
  std::optional<RegionType> type;  // nullopt: total
  const Measure* measure = nullptr;
  std::optional<std::uint64_t> request = {};  // only blocks that a request of so many bytes gets; of heap_measures()
  std::string type_name = {};                 // only objects of this C++ class; of heap_measures(). Empty: any

  Bytes of(const Summary& summary) const;
  /// What is known to be missing in heaps and makes this figure wrong; null: nothing.
  const HeapShortfall* shortfall(const Summary& summary) const;
  /// What a shortfall makes of it.
  enum class Doubt : std::uint8_t {
    TooLow,   // it is at least so much: memory of heaps is missing
    TooHigh,  // it is at most so much: it holds memory of heaps
    Either,   // numbers of regions and of their blocks
  };
  Doubt doubt() const;
  std::string name() const;  // "heap.private_ws", "total.size", "heap.live[48]", "heap.live[shop::Order]"
  friend bool operator==(const Figure&, const Figure&) = default;
};

/// The inverse of Figure::name(). Types are spelled as in JSON or as in VMMap, with or without blanks. Errors:
/// Malformed, naming the nearest type or column that exists.
Result<Figure> parse_figure(std::string_view type, std::string_view measure);

}  // namespace vmscan
