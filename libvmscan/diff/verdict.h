// What a condition says of two summaries, or of a series.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "libvmscan/diff/condition.h"
#include "libvmscan/model/delta.h"

namespace vmscan {

/// A measured slope, in bytes or things an hour, with its 95 % confidence interval.
struct Slope {
  double per_hour = 0, low = 0, high = 0;
  double p = 1;              // of no growth: how likely so much of it is by chance alone; one-sided
  bool significant = false;  // see libvmscan/diff/trend.h
};

struct Verdict {
  enum class Outcome : std::uint8_t { Passed, Tripped, Unknown };

  Condition condition;
  Bytes base, now;
  /// What `now` is compared with, so that `now OP limit` is the verdict: a growth added to the base, rounded down for
  /// ">" and up for ">=". Saturates where no value can reach it. Unknown for a slope.
  Bytes limit;
  Outcome outcome = Outcome::Unknown;
  std::optional<Slope> slope;  // of a slope condition
  std::string reason;          // why it is unknown, or what the numbers do not show; one sentence; may be empty

  Delta delta() const { return difference(base, now); }
};

constexpr std::string_view name_of(Verdict::Outcome outcome) {
  constexpr std::string_view names[] = {"passed", "tripped", "unknown"};
  return names[static_cast<std::size_t>(outcome)];
}

/// Judges one condition. Exact: no floating point. A growth condition trips only if there is growth, ">= +0" and
/// ">= +0%" too. From a base of 0 every growth is beyond any percentage, while max(AMOUNT,PERCENT%) still allows
/// AMOUNT. Unknown when a needed value is (an absolute limit needs only `now`), and for a slope, which needs a series.
/// Unknown as well where a heap's shortfall makes a needed value wrong, unless the verdict cannot change: what was
/// found of heaps in `now` is beyond the limit already, or private data, which hold what is missing, are not.
Verdict judge(const Condition& condition, const Summary& base, const Summary& now);

/// "heap.live is too low in snapshot 7: glibc's malloc counts 3 blocks of 812 K more than could be found".
std::string doubt_of(const Figure& figure, const HeapShortfall& shortfall, std::string_view where);

/// The gate as a whole: tripped when any condition is, otherwise unknown when any is.
Verdict::Outcome outcome_of(std::span<const Verdict> verdicts);

}  // namespace vmscan
