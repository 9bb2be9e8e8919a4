// What the other files for POSIX systems need of interrupts.cpp.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

#include "cli/platform/system.h"

namespace vmscan::cli {

/// A file that is not whole yet: an interrupt takes it away. Its name is known before it is made and until this ends.
class Unfinished {
 public:
  explicit Unfinished(const std::string& path);
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  ~Unfinished();

 private:
  std::string path_;
};

/// Runs it as a whole: an interrupt ends the program before it or behind it, unless it takes long.
int undisturbed(const std::function<int()>& action);

/// What an interrupt is passed on to, unless the terminal has sent it to all; 0: nobody. A program that was started is
/// waited for, however long it takes.
void pass_interrupts_on(pid_t child);

/// The signals that a program which is started shall not find blocked.
void unblock_interrupts();

/// Returns at an interrupt, or then.
void sleep_until(Clock::time_point deadline);

}  // namespace vmscan::cli
