#include "libvmscan/diff/trend.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace vmscan {
namespace {

constexpr std::array<std::size_t, 5> block_counts{20, 24, 32, 48, statistics::max_blocks};
constexpr double ms_per_hour = 3'600'000;
constexpr std::int64_t start_tolerance_ms = 2000;  // start times are derived from a clock that may be set
constexpr std::int64_t gap_factor = 5, gap_ms = 5000;
/// One step explains the course when it leaves at most this part of what a line leaves.
constexpr double step_advantage = 0.8;
/// … and also where no slope is significant, when it is as clear as this.
constexpr double clear_step = 0.25;
/// Growth goes on when the last half has at least this part of the whole slope.
constexpr double lasting_part = 0.25;

bool is_other_process(const TrendSample& a, const TrendSample& b) {
  if (a.pid != b.pid || a.started_at_unix_ms.has_value() != b.started_at_unix_ms.has_value()) return true;
  return a.started_at_unix_ms && std::abs(*a.started_at_unix_ms - *b.started_at_unix_ms) > start_tolerance_ms;
}

std::string seconds(std::int64_t ms) {
  return ms % 1000 == 0 ? fmt::format("{} s", ms / 1000) : fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
}

Slope hourly(const statistics::SlopeTest& test, double steps_per_hour) {
  return {test.slope * steps_per_hour, test.low() * steps_per_hour, test.high() * steps_per_hour, test.p_rising,
          test.p_rising <= trend_significance};
}

/// Says so when one step leaves at most this part of what a line leaves; empty when not.
std::string step_reason(std::span<const double> blocks, double part) {
  const statistics::Step step = statistics::best_step(blocks);
  if (step.at == 0 || step.squares >= part * statistics::squares_around_line(blocks)) return {};
  return fmt::format("one step {}, {} % into the time that counts, explains it better than a slope",
                     step.height > 0 ? "up" : "down", 100 * step.at / blocks.size());
}

/// Why a significant slope is no growth that goes on; empty when it is. `highest_before` is the level in what was taken
/// for a warm-up.
std::string why_not_lasting(std::span<const double> blocks, double slope, double highest_before) {
  if (const std::string reason = step_reason(blocks, step_advantage); !reason.empty()) return reason;
  const double late = statistics::theil_sen_slope(blocks.subspan(blocks.size() / 2));
  if (late / slope < lasting_part) return "it did not go on in the second half of the time that counts";
  const auto end = blocks.last(blocks.size() / 4);
  if (slope > 0 && statistics::median({end.begin(), end.end()}) < highest_before)
    return "it had been as high before, in the time taken for a warm-up";
  return {};
}

/// Why so many samples over so much time have no slope; empty when they do.
std::string too_little(std::size_t samples, std::int64_t ms) {
  if (samples < min_trend_samples)
    return fmt::format("{} behind the warm-up; a slope needs {}",
                       samples == 1 ? "1 sample" : fmt::format("{} samples", samples), min_trend_samples);
  if (ms < min_trend_ms)
    return fmt::format("{} behind the warm-up; a slope needs {}", seconds(ms), seconds(min_trend_ms));
  return {};
}

void measure_drift(FigureTrend& trend, std::span<const double> values) {
  const std::size_t before = values.size() - values.size() / 4;
  if (before == values.size()) return;
  const auto early = values.first(before), late = values.subspan(before);
  const double level = statistics::median({early.begin(), early.end()});
  std::vector<double> off;
  for (const double value : early) off.push_back(std::fabs(value - level));
  trend.drift = statistics::median({late.begin(), late.end()}) - level;
  trend.drift_noise = 1.4826 * statistics::median(std::move(off));
}

}  // namespace

TrendSample trend_sample(const Snapshot& snapshot, const Summary& summary) {
  return {snapshot.captured_at_unix_ms, snapshot.target.pid, snapshot.target.started_at_unix_ms, summary};
}

Trend::Trend(std::vector<TrendSample> samples, WarmUp warm_up) : samples_(std::move(samples)), warm_up_(warm_up) {
  problem_ = find_problem();
  for (const std::size_t count : block_counts) {
    if (count <= samples_.size()) lines_.emplace_back(count, statistics::LineInNoise(count));
  }
}

std::int64_t Trend::duration_ms() const {
  if (samples_.empty() || !samples_.front().captured_at_unix_ms || !samples_.back().captured_at_unix_ms) return 0;
  return *samples_.back().captured_at_unix_ms - *samples_.front().captured_at_unix_ms;
}

std::string Trend::find_problem() {
  if (samples_.empty()) return "the series is empty";
  if (samples_.size() == 1) return "one snapshot is no series";
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    if (!samples_[i].captured_at_unix_ms) return fmt::format("the time of snapshot {} is unknown", i + 1);
    if (i == 0) continue;
    if (is_other_process(samples_[i - 1], samples_[i]))
      return fmt::format("snapshots {} and {} are of two processes (pid or start time differ)", i, i + 1);
    if (*samples_[i].captured_at_unix_ms <= *samples_[i - 1].captured_at_unix_ms)
      return fmt::format("snapshot {} is not later than the one before it", i + 1);
  }
  const std::int64_t start = *samples_.front().captured_at_unix_ms;
  if (warm_up_.samples) dropped_ = *warm_up_.samples;
  if (warm_up_.duration_ms) {
    while (dropped_ < samples_.size() && *samples_[dropped_].captured_at_unix_ms - start < *warm_up_.duration_ms)
      ++dropped_;
  }
  if (dropped_ >= samples_.size()) return fmt::format("no snapshot of {} is left behind the warm-up", samples_.size());
  std::vector<double> intervals;
  for (std::size_t i = dropped_ + 1; i < samples_.size(); ++i)
    intervals.push_back(static_cast<double>(*samples_[i].captured_at_unix_ms - *samples_[i - 1].captured_at_unix_ms));
  median_interval_ms_ = std::llround(statistics::median(intervals));
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const auto interval = static_cast<std::int64_t>(intervals[i]);
    if (interval > gap_factor * median_interval_ms_ && interval > median_interval_ms_ + gap_ms) {
      return fmt::format("a gap of {} before snapshot {} (the usual interval is {})", seconds(interval),
                         dropped_ + i + 2, seconds(median_interval_ms_));
    }
  }
  return {};
}

/// The largest number of blocks that is not more than `blocks`, which becomes it.
const statistics::LineInNoise& Trend::line_for(std::size_t& blocks) const {
  auto line = lines_.rbegin();
  while (line->first > blocks) ++line;
  blocks = line->first;
  return line->second;
}

/// Slope, course and drift; `values` are those behind the user's warm-up, at least min_trend_samples.
void Trend::measure(FigureTrend& trend, std::vector<double> values) const {
  double highest_before = 0;  // level during the warm-up that was found
  if (warm_up_is_found()) {
    const auto blocks = statistics::block_medians(values);
    const std::size_t found = statistics::warm_up_length(blocks);
    std::size_t dropped = std::min(found * values.size() / blocks.size(), values.size() - min_trend_samples);
    const std::int64_t end = *samples_.back().captured_at_unix_ms;
    while (dropped > 0 && end - *samples_[trend.warm_up + dropped].captured_at_unix_ms < min_trend_ms) --dropped;
    for (std::size_t i = 0; i < found; ++i) highest_before = std::max(highest_before, blocks[i]);
    values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(dropped));
    trend.warm_up += dropped;
  }
  std::size_t count = values.size();
  const statistics::LineInNoise& line = line_for(count);
  auto blocks = statistics::block_medians(values, count);
  const statistics::SlopeTest test =
      statistics::test_slope(blocks, line, statistics::block_positions(values.size(), count));
  const double hours =
      static_cast<double>(*samples_.back().captured_at_unix_ms - *samples_[trend.warm_up].captured_at_unix_ms) /
      ms_per_hour;
  const auto samples = static_cast<double>(values.size());
  const double steps_per_hour = static_cast<double>(count) / (hours * samples / (samples - 1));
  trend.slope = hourly(test, steps_per_hour);
  trend.freedom = test.freedom;
  trend.detectable =
      statistics::student_quantile(trend_significance, test.freedom) * test.standard_error * steps_per_hour;
  trend.course = Course::Steady;
  const bool significant = std::min(test.p_rising, test.p_falling) <= trend_significance;
  if (significant) trend.course = test.slope > 0 ? Course::Growing : Course::Shrinking;
  trend.reason = significant ? why_not_lasting(blocks, test.slope, highest_before) : step_reason(blocks, clear_step);
  if (!trend.reason.empty()) trend.course = Course::Stepped;
  measure_drift(trend, values);
}

FigureTrend Trend::of(const Figure& figure) const {
  FigureTrend trend;
  trend.figure = figure;
  if (!problem_.empty()) {
    trend.reason = problem_;
    return trend;
  }
  trend.warm_up = dropped_;
  std::vector<double> values;
  for (std::size_t i = dropped_; i < samples_.size(); ++i) {
    const Bytes value = figure.of(samples_[i].summary);
    if (!value) {
      trend.reason = fmt::format("{} is not known in snapshot {}", figure.name(), i + 1);
      return trend;
    }
    values.push_back(static_cast<double>(*value));
  }
  trend.reason =
      too_little(values.size(), *samples_.back().captured_at_unix_ms - *samples_[dropped_].captured_at_unix_ms);
  if (trend.reason.empty()) measure(trend, std::move(values));
  trend.first = trend.least = trend.largest = figure.of(samples_[trend.warm_up].summary);
  trend.last = figure.of(samples_.back().summary);
  for (std::size_t i = trend.warm_up; i < samples_.size(); ++i) {
    const Bytes value = figure.of(samples_[i].summary);
    trend.least = std::min(*trend.least, *value);
    trend.largest = std::max(*trend.largest, *value);
  }
  return trend;
}

Verdict Trend::judge(const Condition& condition) const {
  using enum Verdict::Outcome;
  const FigureTrend trend = of(condition.figure);
  Verdict verdict;
  verdict.condition = condition;
  verdict.reason = trend.reason;
  if (!trend.first) return verdict;
  if (condition.kind != Condition::Kind::Slope)
    return vmscan::judge(condition, samples_[trend.warm_up].summary, samples_.back().summary);
  verdict.base = trend.first;
  verdict.now = trend.last;
  if (!trend.slope) return verdict;
  for (std::size_t i = trend.warm_up; i < samples_.size(); ++i)
    if (const HeapShortfall* shortfall = condition.figure.shortfall(samples_[i].summary)) {
      verdict.reason = doubt_of(condition.figure, *shortfall, fmt::format("snapshot {}", i + 1));
      return verdict;
    }
  const double limit = condition.amount_per_hour();
  const bool beyond = condition.or_equal ? trend.slope->low >= limit : trend.slope->low > limit;
  verdict.slope = trend.slope;
  verdict.outcome = trend.course == Course::Growing && beyond ? Tripped : Passed;
  if (trend.course == Course::Growing && !beyond && trend.slope->per_hour > limit)
    verdict.reason = "it grows, but by how much is not certain enough to be beyond the limit";
  if (trend.course == Course::Steady && trend.detectable > std::max(limit, 1.0))
    verdict.reason = "no growth stands out of its wander; a longer series would show slower growth";
  return verdict;
}

}  // namespace vmscan
