// Exit codes and how a failure is told: one line on stderr, "vmscan: WHAT: WHY".
#pragma once

#include <expected>
#include <string>

#include "libvmscan/base/result.h"

namespace vmscan::cli {

enum ExitCode : int {
  exit_done = 0,
  exit_tripped = 1,  // a gate
  exit_nothing = 1,  // strings, heap: nothing matched
  exit_usage = 2,    // usage, bad input, input or output failed
  exit_gone = 3,     // no such process, or it is gone
  exit_permission = 4,
  exit_partial = 5,  // --strict and something is missing
};

struct Failure {
  int exit_code = exit_usage;
  std::string message;
};

template <class T>
using Expected = std::expected<T, Failure>;

inline std::unexpected<Failure> failure(int exit_code, std::string message) {
  return std::unexpected(Failure{exit_code, std::move(message)});
}

/// The exit code for an error of the library.
int exit_code_of(ErrorCode code);
std::unexpected<Failure> failure(const Error& error);

/// Prints the line on stderr and returns the exit code.
int report(const Failure& failure);
/// Prints "vmscan: note: MESSAGE" on stderr.
void report_note(std::string_view message);

}  // namespace vmscan::cli
