// Live processes of this machine. Implemented once per system; the build chooses the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/source/source.h"

namespace vmscan {

struct ProcessName {
  std::uint32_t pid = 0;
  std::string name;
};

/// Opens a process of this machine and holds on to it: a process that later takes over its pid is never read instead.
/// Errors: NotFound (no such pid), AccessDenied, Unsupported (this system).
Result<std::unique_ptr<Source>> open_process(std::uint32_t pid);

/// The pid of this program.
std::uint32_t current_pid();

/// Processes whose name begins with `prefix`, without this program, by rising pid.
/// A name is what ps shows; a longer prefix than the kernel keeps (15 bytes) is compared with the program's file name.
Result<std::vector<ProcessName>> find_processes(std::string_view prefix);

}  // namespace vmscan
