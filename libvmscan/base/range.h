// A half-open range of addresses. The only place where a size is added to an address.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace vmscan {

using Address = std::uint64_t;

/// Half-open range [begin, end) of a target's addresses, in bytes.
struct Range {
  Address begin = 0;
  Address end = 0;

  /// Returns the range of `size` bytes at `begin`, or nothing when its end would wrap around.
  static constexpr std::optional<Range> make(Address begin, std::uint64_t size) {
    if (size > std::numeric_limits<Address>::max() - begin) return std::nullopt;
    return Range{begin, begin + size};
  }

  constexpr std::uint64_t size() const { return end > begin ? end - begin : 0; }
  constexpr bool empty() const { return end <= begin; }
  constexpr bool contains(Address address) const { return begin <= address && address < end; }
  constexpr bool contains(Range other) const { return begin <= other.begin && other.end <= end; }
  constexpr bool overlaps(Range other) const { return begin < other.end && other.begin < end; }
  constexpr Range intersect(Range other) const {
    const Range both{begin > other.begin ? begin : other.begin, end < other.end ? end : other.end};
    return both.empty() ? Range{both.begin, both.begin} : both;
  }

  friend constexpr bool operator==(Range, Range) = default;
};

}  // namespace vmscan
