// The course of a process over a series of snapshots: does a figure grow, how fast, and is that more than its wander?
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libvmscan/diff/statistics.h"
#include "libvmscan/diff/verdict.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan {

/// What a trend needs of a snapshot; the snapshot itself can go.
struct TrendSample {
  std::optional<std::int64_t> captured_at_unix_ms;
  std::optional<std::uint32_t> pid;
  std::optional<std::int64_t> started_at_unix_ms;
  Summary summary;
};
/// `summary` is that of the snapshot, or of what a comparison shall see of it.
TrendSample trend_sample(const Snapshot& snapshot, const Summary& summary);

/// What does not count at the beginning: a number of samples, a time, or (neither) what does not fit in with the rest,
/// which is found for each figure by itself and is at most half.
struct WarmUp {
  std::optional<std::size_t> samples;
  std::optional<std::int64_t> duration_ms;
};

/// A slope needs so many samples behind the warm-up.
inline constexpr std::size_t min_trend_samples = 20;
/// … and so much time. In less, a process that only wanders climbs steadily far too often: in a series of 30 s, 1 to 28
/// of 100 real ones did (scripts/trend-power).
inline constexpr std::int64_t min_trend_ms = 60'000;
/// Growth is significant when so much of it comes about without a trend in at most one series of a thousand.
inline constexpr double trend_significance = 0.001;

enum class Course : std::uint8_t {
  Unknown,
  Steady,     // no significant slope
  Growing,    // significantly, and over the whole time
  Shrinking,  // the same downwards
  Stepped,    // one step explains it better than a slope, or growth ended in the first half
};
constexpr std::string_view name_of(Course course) {
  constexpr std::string_view names[] = {"unknown", "steady", "growing", "shrinking", "stepped"};
  return names[static_cast<std::size_t>(course)];
}

struct FigureTrend {
  Figure figure;
  Course course = Course::Unknown;
  std::string reason;                 // why it is unknown or stepped; one sentence
  std::size_t warm_up = 0;            // samples that do not count
  Bytes first, last, least, largest;  // behind the warm-up
  std::optional<Slope> slope;
  double freedom = 1;                 // degrees of freedom of its confidence interval
  double detectable = 0;              // the least slope an hour that would be significant here
  std::optional<double> drift;        // median of the last quarter minus that of the three before it
  std::optional<double> drift_noise;  // standard deviation around that median, estimated robustly (1.4826 MAD)
};

/// A series that is ready to be asked for figures.
class Trend {
 public:
  Trend(std::vector<TrendSample> samples, WarmUp warm_up);

  const std::vector<TrendSample>& samples() const { return samples_; }
  /// Why no figure of this series can be judged: time that is unknown or runs backwards, another process in the middle,
  /// a gap (an interval five times and five seconds longer than the median), nothing left behind the warm-up. Empty:
  /// none.
  const std::string& problem() const { return problem_; }
  /// True when each figure's warm-up was found from the data.
  bool warm_up_is_found() const { return !warm_up_.samples && !warm_up_.duration_ms; }
  std::int64_t duration_ms() const;
  std::int64_t median_interval_ms() const { return median_interval_ms_; }

  FigureTrend of(const Figure& figure) const;

  /// A slope condition trips when growth is significant, goes on over the whole time, and the lower end of its 95 %
  /// confidence interval is beyond the limit. Any other condition compares the last sample with the first behind the
  /// warm-up. Unknown when problem() is not empty, or a sample does not know the figure or
  /// has a shortfall that makes it wrong.
  Verdict judge(const Condition& condition) const;

 private:
  std::string find_problem();
  void measure(FigureTrend& trend, std::vector<double> values) const;
  const statistics::LineInNoise& line_for(std::size_t& blocks) const;

  std::vector<TrendSample> samples_;
  WarmUp warm_up_;
  std::size_t dropped_ = 0;  // by the user's choice
  std::int64_t median_interval_ms_ = 0;
  std::string problem_;
  std::vector<std::pair<std::size_t, statistics::LineInNoise>> lines_;  // by number of blocks, rising
};

}  // namespace vmscan
