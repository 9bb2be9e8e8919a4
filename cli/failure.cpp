#include "cli/failure.h"

#include <fmt/format.h>

#include <cstdio>

#include "formats/views/text.h"

namespace vmscan::cli {

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::NotFound:
    case ErrorCode::Vanished:
      return exit_gone;
    case ErrorCode::AccessDenied:
      return exit_permission;
    case ErrorCode::Unsupported:
    case ErrorCode::Malformed:
    case ErrorCode::Truncated:
    case ErrorCode::Io:
      break;
  }
  return exit_usage;
}

std::unexpected<Failure> failure(const Error& error) { return failure(exit_code_of(error.code), error.message); }

int report(const Failure& failure) {
  const std::string line = fmt::format("vmscan: {}\n", formats::escape_for_terminal(failure.message));
  std::fwrite(line.data(), 1, line.size(), stderr);
  return failure.exit_code;
}

void report_note(std::string_view message) {
  const std::string line = fmt::format("vmscan: note: {}\n", formats::escape_for_terminal(message));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace vmscan::cli
