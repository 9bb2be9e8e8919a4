// Who the process is.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "libvmscan/source/linux/live_process.h"
#include "libvmscan/source/linux/text/pagemap_entry.h"

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

/// Whether all pages of the range are in RAM; nothing where that cannot be seen.
std::optional<bool> all_in_ram(const ProcDir& proc, const std::string& memory, Range range) {
  const Result<Fd> pagemap = range.empty() ? fail(ErrorCode::NotFound, "") : proc.open_file(memory + "pagemap");
  if (!pagemap) return std::nullopt;
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (std::uint64_t page = range.begin / page_bytes; page <= (range.end - 1) / page_bytes; ++page) {
    std::uint64_t entry = 0;
    if (::pread(pagemap->get(), &entry, sizeof entry, static_cast<off_t>(page * sizeof entry)) != sizeof entry)
      return std::nullopt;
    if ((entry & pagemap::present) == 0) return false;
  }
  return true;
}

/// They lie in the target's memory: the kernel would swap them in to show them, or wait for a userfaultfd(2).
std::optional<std::string> read_arguments(const ProcDir& proc, const MappedFiles& files, const std::string& memory,
                                          const StatText& stat, const StatusText& status, bool all_pages) {
  const Range begin{stat.arguments.begin, std::min(stat.arguments.end, stat.arguments.begin + max_arguments_bytes)};
  const auto in_ram = all_in_ram(proc, memory, begin);
  if (in_ram == true) return proc.read(memory + "cmdline", max_arguments_bytes).value_or(std::string{});
  if (!all_pages && (in_ram == false || status.counters.swap != Bytes{0})) return std::nullopt;
  return files.read_text(memory + "cmdline", max_arguments_bytes);
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

void collect_target(const ProcDir& proc, const MappedFiles& files, const StatText& stat, const StatusText& status,
                    Facts& facts) {
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
  if (target.kind == TargetKind::Process) {
    const auto arguments = read_arguments(proc, files, memory, stat, status, facts.all_pages);
    target.arguments = split_arguments(arguments.value_or(std::string{}));
    if (!arguments)
      facts.notes.push_back(
          {"arguments_unread", "its arguments were not read: they are not in RAM, or nobody answered for them"});
  }
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
