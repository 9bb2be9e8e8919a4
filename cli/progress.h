// How far a long search is: one line on a terminal's stderr that goes away again.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace vmscan::cli {

class Progress {
 public:
  /// `wanted`: something else does not fill the terminal at the same time. Quiet where stderr is no terminal.
  Progress(bool wanted, std::uint64_t all_bytes);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }
  /// Shows nothing in the first second, and not more often than five times a second.
  void show(std::uint64_t bytes, std::string_view more);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool wanted_, shown_ = false;
  std::uint64_t all_bytes_;
  Clock::time_point next_;
};

}  // namespace vmscan::cli
