// Who the process is.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "libvmscan/source/linux/live_process.h"

namespace vmscan {
namespace {

constexpr std::uint64_t pf_kthread = 0x00200000;  // include/linux/sched.h
constexpr std::size_t max_arguments_bytes = 4096;
constexpr std::string_view deleted_suffix = " (deleted)";

std::int64_t clock_ms(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::int64_t started_at(std::uint64_t ticks) {
  const std::int64_t boot_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
  const auto ticks_per_second = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  // To a tenth of a second: clock ticks are no finer, and the same process must show the same time in every capture.
  const auto since_boot_ms =
      static_cast<std::int64_t>(ticks / ticks_per_second * 1000 + ticks % ticks_per_second * 1000 / ticks_per_second);
  return (boot_ms + since_boot_ms) / 100 * 100;
}

std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> arguments;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    arguments.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (!arguments.empty()) arguments.erase(arguments.begin());
  return arguments;
}

TargetKind kind_of(const StatText& stat, const std::string& memory) {
  if (stat.flags & pf_kthread) return TargetKind::KernelThread;
  if ((stat.state == 'Z' || stat.state == 'X') && memory.empty()) return TargetKind::Zombie;
  return TargetKind::Process;
}

}  // namespace

std::string memory_directory(const ProcDir& proc, const StatText& stat) {
  if (stat.state != 'Z' && stat.state != 'X') return {};
  for (const std::string& tid : proc.list("task").value_or(std::vector<std::string>{})) {
    const auto thread = parse_stat(proc.read(fmt::format("task/{}/stat", tid)).value_or(std::string{}));
    if (thread && thread->state != 'Z' && thread->state != 'X') return fmt::format("task/{}/", tid);
  }
  return {};
}

void collect_target(const ProcDir& proc, const StatText& stat, const StatusText& status, Facts& facts) {
  Target& target = facts.target;
  const std::string memory = memory_directory(proc, stat);
  target.kind = kind_of(stat, memory);
  target.pid = proc.pid();
  if (status.namespace_pids.size() > 1) target.namespace_pids = status.namespace_pids;
  target.parent_pid = status.parent_pid;
  target.user_id = status.effective_uid;
  target.name = status.name;
  target.executable = proc.link(memory + "exe").value_or(std::string{});
  if (target.executable.ends_with(deleted_suffix))
    target.executable.resize(target.executable.size() - deleted_suffix.size());
  target.arguments = split_arguments(proc.read(memory + "cmdline", max_arguments_bytes).value_or(std::string{}));
  target.system = "linux";
  facts.brk_start = stat.start_brk;
  utsname system{};
  if (::uname(&system) == 0) {
    target.machine = system.machine;
    target.kernel = system.release;
  }
  target.page_size = static_cast<std::uint64_t>(std::max(4096L, ::sysconf(_SC_PAGESIZE)));
  target.started_at_unix_ms = started_at(stat.start_time_ticks);
}

}  // namespace vmscan
