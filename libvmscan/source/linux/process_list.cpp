// Finds processes by the beginning of their name.
#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "libvmscan/source/linux/proc_dir.h"
#include "libvmscan/source/linux/text/maps_text.h"
#include "libvmscan/source/process.h"

namespace vmscan {
namespace {

constexpr std::size_t kernel_keeps = 15;  // TASK_COMM_LEN - 1

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// The name that begins with `prefix`, or nothing.
std::string matching_name(std::uint32_t pid, std::string_view prefix) {
  std::string comm = read_system_file(fmt::format("/proc/{}/comm", pid));
  if (!comm.empty() && comm.back() == '\n') comm.pop_back();
  if (comm.starts_with(prefix)) return comm;
  if (prefix.size() <= kernel_keeps || !prefix.starts_with(comm)) return {};
  const std::string cmdline = read_system_file(fmt::format("/proc/{}/cmdline", pid));
  const std::string_view program = file_name(std::string_view(cmdline).substr(0, cmdline.find('\0')));
  return program.starts_with(prefix) ? std::string(program) : std::string{};
}

}  // namespace

Result<std::vector<ProcessName>> find_processes(std::string_view prefix) {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return fail(ErrorCode::Io, fmt::format("/proc: {}", std::strerror(errno)));
  std::vector<ProcessName> found;
  while (const dirent* entry = ::readdir(proc.get())) {
    std::string_view digits = entry->d_name;
    std::uint64_t pid = 0;
    if (!take_decimal(digits, pid) || !digits.empty() || pid == current_pid()) continue;
    std::string name = matching_name(static_cast<std::uint32_t>(pid), prefix);
    if (!name.empty()) found.push_back({static_cast<std::uint32_t>(pid), std::move(name)});
  }
  std::sort(found.begin(), found.end(), [](const ProcessName& a, const ProcessName& b) { return a.pid < b.pid; });
  return found;
}

}  // namespace vmscan
