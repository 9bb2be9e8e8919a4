// Tells the trace of a capture what each step cost.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <string_view>

namespace vmscan {

class StepTimer {
 public:
  explicit StepTimer(const std::function<void(std::string_view)>& trace) : trace_(trace), begin_(Clock::now()) {}

  /// Reports the time since the last step, when there is somebody to report to.
  void step(std::string_view what) {
    if (!trace_) return;
    const std::chrono::duration<double, std::milli> taken = Clock::now() - begin_;
    trace_(fmt::format("{}: {:.2f} ms", what, taken.count()));
    begin_ = Clock::now();
  }

 private:
  using Clock = std::chrono::steady_clock;
  const std::function<void(std::string_view)>& trace_;
  Clock::time_point begin_;
};

}  // namespace vmscan
