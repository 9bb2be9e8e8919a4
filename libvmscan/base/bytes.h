// A count that may be unknown. Unknown is never 0, and a sum over an unknown is unknown.
#pragma once

#include <cstdint>
#include <limits>

namespace vmscan {

/// Number of bytes (or of things) as far as the source can tell. Like std::optional<std::uint64_t>, but 8 bytes wide
/// (a snapshot of 60,000 regions holds two million of them) and with the arithmetic of unknown values built in.
/// Sums saturate at max_value, so that hostile input cannot wrap them around.
class Bytes {
 public:
  static constexpr std::uint64_t max_value = std::numeric_limits<std::uint64_t>::max() - 1;

  constexpr Bytes() = default;                                                             // unknown
  constexpr Bytes(std::uint64_t value) : value_(value > max_value ? max_value : value) {}  // NOLINT: a count is a Bytes

  constexpr bool known() const { return value_ != unknown_value; }
  constexpr explicit operator bool() const { return known(); }
  /// The value; only meaningful when known().
  constexpr std::uint64_t operator*() const { return value_; }
  constexpr std::uint64_t value_or(std::uint64_t other) const { return known() ? value_ : other; }

  constexpr Bytes& operator+=(Bytes other) {
    if (!known() || !other.known()) return *this = Bytes{};
    value_ = other.value_ > max_value - value_ ? max_value : value_ + other.value_;
    return *this;
  }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return a += b; }
  friend constexpr bool operator==(Bytes, Bytes) = default;

 private:
  static constexpr std::uint64_t unknown_value = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value_ = unknown_value;
};

}  // namespace vmscan
