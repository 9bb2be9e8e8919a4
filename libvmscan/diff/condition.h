// The conditions of a gate, as --fail-on and gate files write them:
//
//   TYPE.COLUMN OP LIMIT            heap.private_ws > +10%
//   TYPE.COLUMN slope OP RATE       heap.private_ws slope > 1MiB/h
//
// TYPE is a region type or "total"; COLUMN one of all_measures(); OP ">" or ">=". heap has two columns more, of what a
// snapshot with heaps holds: live (bytes) and live_blocks; [SIZE] behind them takes the blocks that a request of SIZE
// bytes gets, [CLASS] the objects of a C++ class with virtual functions. LIMIT is one of
//   512MiB  20         what the new value may be
//   +1MiB   +20        how much it may have grown
//   +10%    +2.5%      the same, relative to the base
//   +max(1MiB,5%)      the larger of the two
// RATE is an amount per s, min, h or d. Sizes are bytes, or have a unit: B, KiB, MiB, GiB, TiB, or K, M, G, T for the
// same; KB and its kin, which mean 1000 to some and 1024 to others, are refused. Decimals (at most four) must make
// whole bytes. Upper and lower case are the same, and blanks may stand between all parts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/diff/figure.h"

namespace vmscan {

/// A gate file may hold more than anybody writes, but not without end.
inline constexpr std::size_t max_conditions = 1000;

struct Condition {
  enum class Kind : std::uint8_t { Absolute, Growth, RelativeGrowth, LargerGrowth, Slope };
  enum class Period : std::uint8_t { Second, Minute, Hour, Day };

  Figure figure;
  Kind kind = Kind::Absolute;
  bool or_equal = false;         // ">="
  std::uint64_t amount = 0;      // bytes or things; not with RelativeGrowth
  std::uint64_t percent_e4 = 0;  // ten thousandths of a percent; only with RelativeGrowth and LargerGrowth
  Period period = Period::Hour;  // only with Slope

  /// The limit of a slope, in bytes or things an hour.
  double amount_per_hour() const;
  friend bool operator==(const Condition&, const Condition&) = default;
};

/// Errors: Malformed, with the condition and, where one character is to blame, its column (from 1).
Result<Condition> parse_condition(std::string_view text);
/// The normal form; parse_condition() gives the same condition back.
std::string to_string(const Condition& condition);
/// Its part behind the operator: "+max(1MiB,5%)".
std::string limit_text(const Condition& condition);

/// One condition a line; from "#" on a line is a comment. Errors: Malformed, with the number of the line; a file
/// without any condition is one, for it would let everything pass.
Result<std::vector<Condition>> parse_gate_file(std::string_view text);

}  // namespace vmscan
