// /proc/PID held open: what is read through it is of this one process, or fails with Vanished once the process is gone,
// even when another one gets its pid.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libvmscan/base/posix/fd.h"
#include "libvmscan/base/result.h"

namespace vmscan {

class ProcDir {
 public:
  /// Errors: NotFound (no such process), AccessDenied, Io.
  static Result<ProcDir> open(std::uint32_t pid);

  std::uint32_t pid() const { return pid_; }

  /// Opens a file below /proc/PID for reading. Errors: NotFound, Vanished, AccessDenied, Io.
  Result<Fd> open_file(const std::string& name, int flags = 0) const;
  /// Reads a whole small file, at most `max_bytes`. Errors as open_file().
  Result<std::string> read(const std::string& name, std::size_t max_bytes = 1 << 20) const;
  /// Reads a symbolic link. Errors as open_file().
  Result<std::string> link(const std::string& name) const;
  /// Names in a directory below /proc/PID, such as "task". Errors as open_file().
  Result<std::vector<std::string>> list(const std::string& name) const;

  int fd() const { return dir_.get(); }
  /// Whether the process has ended (a zombie has not).
  bool gone() const;

 private:
  ProcDir(std::uint32_t pid, Fd dir) : pid_(pid), dir_(std::move(dir)) {}
  Error error(int number, const std::string& name) const;

  std::uint32_t pid_;
  Fd dir_;
};

/// Reads a whole file of the system, such as /proc/sys/vm/max_map_count; empty when it cannot be read.
std::string read_system_file(const std::string& path);

/// Reads to the end, at most `max_bytes`; returns errno, or 0.
int read_all(int fd, std::string& out, std::size_t max_bytes);

}  // namespace vmscan
