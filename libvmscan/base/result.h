// Errors are values: what went wrong, where, and why, in one sentence.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace vmscan {

enum class ErrorCode {
  NotFound,      // no such process, file or record
  AccessDenied,  // the system refused; the message names the missing right
  Vanished,      // it was there when we started and is gone now
  Unsupported,   // a known thing that this build or this system cannot do
  Malformed,     // foreign bytes that break their own format
  Truncated,     // foreign bytes that end too early
  Io,            // reading or writing failed
};

struct Error {
  ErrorCode code = ErrorCode::Io;
  std::string message;  // one sentence, no newline
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace vmscan
