// Live processes of systems that have no source of their own yet.
#include "libvmscan/source/process.h"

namespace vmscan {

Result<std::unique_ptr<Source>> open_process(std::uint32_t) {
  return fail(ErrorCode::Unsupported, "live processes cannot be read on this system");
}

std::uint32_t current_pid() { return 0; }

Result<std::vector<ProcessName>> find_processes(std::string_view) {
  return fail(ErrorCode::Unsupported, "live processes cannot be found on this system");
}

}  // namespace vmscan
