// When a series takes its snapshots and when it ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/failure.h"
#include "cli/platform/system.h"

namespace vmscan::cli {

/// As typed.
struct ScheduleArguments {
  std::string interval, count, duration;
  bool until_exit = false;
};

struct Schedule {
  std::chrono::milliseconds interval{1000};
  std::optional<std::uint64_t> count;
  std::optional<std::chrono::milliseconds> duration;
  bool until_exit = false;
  bool series = false;  // more than one snapshot
};

/// Without an interval, but with another option of a series, a snapshot is taken every second. An interval alone goes
/// on until the target ends, as does the launch of a program.
Expected<Schedule> settle(const ScheduleArguments& arguments, bool launches);

/// The beat of a series: fixed to its start, so that it does not drift; a beat that was missed is left out.
class Beat {
 public:
  Beat(Clock::time_point start, std::chrono::milliseconds interval) : start_(start), interval_(interval) {}
  /// The first beat after `now`.
  Clock::time_point next(Clock::time_point now) const { return start_ + ((now - start_) / interval_ + 1) * interval_; }

 private:
  Clock::time_point start_;
  std::chrono::milliseconds interval_;
};

}  // namespace vmscan::cli
