#include "cli/arguments/schedule.h"

#include "cli/arguments/quantities.h"

namespace vmscan::cli {

Expected<Schedule> settle(const ScheduleArguments& arguments, bool launches) {
  Schedule schedule;
  if (!arguments.interval.empty()) {
    const auto interval = parse_duration("--interval", arguments.interval);
    if (!interval) return std::unexpected(interval.error());
    schedule.interval = *interval;
  }
  if (!arguments.count.empty()) {
    const auto count = parse_count("--count", arguments.count);
    if (!count) return std::unexpected(count.error());
    schedule.count = *count;
  }
  if (!arguments.duration.empty()) {
    const auto duration = parse_duration("--duration", arguments.duration);
    if (!duration) return std::unexpected(duration.error());
    schedule.duration = *duration;
  }
  const bool bounded = schedule.count || schedule.duration;
  schedule.until_exit = arguments.until_exit || (!bounded && (launches || !arguments.interval.empty()));
  schedule.series = bounded || schedule.until_exit;
  return schedule;
}

}  // namespace vmscan::cli
