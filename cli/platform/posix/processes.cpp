#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "cli/platform/posix/interrupts.h"

namespace vmscan::cli {
namespace {

int shell_status(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

[[noreturn]] void execute(const std::vector<std::string>& command, int report_fd) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: execvp's type
  arguments.push_back(nullptr);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) std::signal(signal, SIG_DFL);
  unblock_interrupts();
  ::execvp(arguments[0], arguments.data());
  const int number = errno;
  [[maybe_unused]] const ssize_t n = ::write(report_fd, &number, sizeof number);
  ::_exit(127);
}

}  // namespace

void keep_freed_memory() {
#ifdef __GLIBC__
  ::mallopt(M_ARENA_MAX, 1);  // a thread's own arena grows by a call of the system for each page
  ::mallopt(M_MMAP_THRESHOLD, 8 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  ::mallopt(M_TOP_PAD, 512 << 10);
#endif
}

Expected<Child> Child::start(const std::vector<std::string>& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failure(exit_usage, fmt::format("pipe: {}", std::strerror(errno)));
  const pid_t pid = ::fork();
  if (pid == 0) execute(command, ends[1]);
  const int fork_error = errno;
  ::close(ends[1]);
  int number = 0;
  ssize_t n = -1;
  // The pipe closes by itself when exec succeeds, so nothing arrives then.
  if (pid > 0) do
      n = ::read(ends[0], &number, sizeof number);
    while (n < 0 && errno == EINTR);
  ::close(ends[0]);
  if (pid < 0) return failure(exit_usage, fmt::format("fork: {}", std::strerror(fork_error)));
  if (n <= 0) {
    pass_interrupts_on(pid);
    return Child(static_cast<std::uint32_t>(pid));
  }
  ::waitpid(pid, nullptr, 0);
  return failure(number == EACCES ? exit_permission : exit_usage,
                 fmt::format("{}: {}", command.front(), std::strerror(number)));
}

std::optional<int> Child::status() {
  siginfo_t ended{};
  if (status_ || ::waitid(P_PID, pid_, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0) return status_;
  return wait();
}

int Child::wait() {
  siginfo_t ended{};
  while (!status_) {
    // It keeps its pid until nothing is passed on to it any more.
    if (::waitid(P_PID, pid_, &ended, WEXITED | WNOWAIT) != 0 && errno == EINTR) continue;
    pass_interrupts_on(0);
    int status = 0;
    if (::waitpid(static_cast<pid_t>(pid_), &status, 0) != static_cast<pid_t>(pid_)) break;
    status_ = shell_status(status);
  }
  return status_.value_or(exit_usage);
}

void wait_until(Clock::time_point deadline, Child* child) {
  constexpr std::chrono::milliseconds look_at_child{50};
  while (!interrupted() && !(child != nullptr && child->status())) {
    const Clock::time_point now = Clock::now();
    if (now >= deadline) return;
    sleep_until(child != nullptr ? std::min(deadline, now + look_at_child) : deadline);
  }
}

}  // namespace vmscan::cli
