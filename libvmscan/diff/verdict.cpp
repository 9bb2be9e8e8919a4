#include "libvmscan/diff/verdict.h"

#include <fmt/format.h>

#include <algorithm>

namespace vmscan {
namespace {

/// nullopt: more than 64 bits hold, which nothing reaches.
using Amount = std::optional<std::uint64_t>;

Amount add(std::uint64_t a, Amount b) {
  if (!b || *b > Bytes::max_value - a) return std::nullopt;
  return a + *b;
}

/// base × percent, rounded up or down to whole units.
Amount part_of(std::uint64_t base, std::uint64_t percent_e4, bool round_up) {
  constexpr std::uint64_t whole = 1'000'000;  // 100 % in ten thousandths of a percent
  const std::uint64_t times = base / whole, rest = base % whole;
  if (times > 0 && percent_e4 > Bytes::max_value / times) return std::nullopt;
  // rest < 10^6 and percent_e4 <= 10^10, so their product fits.
  return add(times * percent_e4, (rest * percent_e4 + (round_up ? whole - 1 : 0)) / whole);
}

Amount allowed_growth(const Condition& condition, std::uint64_t base) {
  if (condition.kind == Condition::Kind::Growth) return condition.amount;
  const Amount part = part_of(base, condition.percent_e4, condition.or_equal);
  if (condition.kind == Condition::Kind::LargerGrowth && part) return std::max(*part, condition.amount);
  return part;
}

/// The value that `now OP limit` is exact with.
Amount limit_of(const Condition& condition, Bytes base) {
  if (condition.kind == Condition::Kind::Absolute) return condition.amount;
  const Amount limit = add(*base, allowed_growth(condition, *base));
  const bool needs_growth = condition.or_equal && limit == *base;
  return needs_growth ? add(*base, 1) : limit;
}

std::string missing_value(const Condition& condition, std::string_view where) {
  const std::string_view hint = condition.figure.measure->of_live == nullptr
                                    ? ""
                                    : ": it was taken without --heap, or no heap of a known allocator was found";
  return fmt::format("{} is not known in {}{}", condition.figure.name(), where, hint);
}

constexpr std::string_view in_base = "the base", in_now = "the new snapshot";

/// A figure that is wrong in the base moves the limit, and no verdict is certain.
bool stands(const Verdict& verdict, bool base_is_wrong) {
  const Figure::Doubt doubt = verdict.condition.figure.doubt();
  if (base_is_wrong || doubt == Figure::Doubt::Either) return false;
  return verdict.outcome == (doubt == Figure::Doubt::TooLow ? Verdict::Outcome::Tripped : Verdict::Outcome::Passed);
}

void weigh_shortfalls(Verdict& verdict, const Summary& base, const Summary& now) {
  const Figure& figure = verdict.condition.figure;
  const bool absolute = verdict.condition.kind == Condition::Kind::Absolute;
  const HeapShortfall *before = absolute ? nullptr : figure.shortfall(base), *after = figure.shortfall(now);
  if (verdict.outcome == Verdict::Outcome::Unknown || (before == nullptr && after == nullptr)) return;
  verdict.reason = before != nullptr ? doubt_of(figure, *before, in_base) : doubt_of(figure, *after, in_now);
  if (!stands(verdict, before != nullptr)) verdict.outcome = Verdict::Outcome::Unknown;
}

}  // namespace

std::string doubt_of(const Figure& figure, const HeapShortfall& shortfall, std::string_view where) {
  constexpr std::string_view how[] = {"too low", "too high", "not certain"};
  const std::string_view out = way_out(shortfall.reason);
  return fmt::format("{} is {} in {}: {}{}{}", figure.name(), how[static_cast<std::size_t>(figure.doubt())], where,
                     amount_and_reason(shortfall), out.empty() ? "" : "; ", out);
}

Verdict judge(const Condition& condition, const Summary& base, const Summary& now) {
  using enum Verdict::Outcome;
  Verdict verdict{condition, condition.figure.of(base), condition.figure.of(now), {}, Unknown, {}, {}};
  if (condition.kind == Condition::Kind::Slope) {
    verdict.reason = "a slope needs a series, not two snapshots";
  } else if (!verdict.now) {
    verdict.reason = missing_value(condition, in_now);
  } else if (condition.kind != Condition::Kind::Absolute && !verdict.base) {
    verdict.reason = missing_value(condition, in_base);
  } else {
    const Amount limit = limit_of(condition, verdict.base);
    verdict.limit = limit.value_or(Bytes::max_value);
    const bool tripped = limit && (condition.or_equal ? *verdict.now >= *limit : *verdict.now > *limit);
    verdict.outcome = tripped ? Tripped : Passed;
    if (condition.kind == Condition::Kind::RelativeGrowth && *verdict.base == 0 && tripped)
      verdict.reason = "from 0, any growth is beyond a percentage";
    weigh_shortfalls(verdict, base, now);
  }
  return verdict;
}

Verdict::Outcome outcome_of(std::span<const Verdict> verdicts) {
  using enum Verdict::Outcome;
  Verdict::Outcome worst = Passed;
  for (const Verdict& verdict : verdicts) {
    if (verdict.outcome == Tripped) return Tripped;
    if (verdict.outcome == Unknown) worst = Unknown;
  }
  return worst;
}

}  // namespace vmscan
