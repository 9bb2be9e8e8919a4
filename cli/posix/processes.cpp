#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "cli/system.h"

namespace vmscan::cli {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

void on_interrupt(int signal) { interrupt_seen = signal; }

int shell_status(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

[[noreturn]] void execute(const std::vector<std::string>& command, int report_fd) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: execvp's type
  arguments.push_back(nullptr);
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) std::signal(signal, SIG_DFL);
  ::execvp(arguments[0], arguments.data());
  const int number = errno;
  [[maybe_unused]] const ssize_t n = ::write(report_fd, &number, sizeof number);
  ::_exit(127);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return interrupt_seen != 0; }

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
  if (n <= 0) return Child(static_cast<std::uint32_t>(pid));
  ::waitpid(pid, nullptr, 0);
  return failure(number == EACCES ? exit_permission : exit_usage,
                 fmt::format("{}: {}", command.front(), std::strerror(number)));
}

std::optional<int> Child::status() {
  int status = 0;
  if (!status_ && ::waitpid(static_cast<pid_t>(pid_), &status, WNOHANG) == static_cast<pid_t>(pid_))
    status_ = shell_status(status);
  return status_;
}

int Child::wait() {
  int status = 0;
  // Ctrl-C reached it as well, SIGTERM only us.
  if (interrupt_seen == SIGTERM && !status_) ::kill(static_cast<pid_t>(pid_), SIGTERM);
  while (!status_) {
    const pid_t ended = ::waitpid(static_cast<pid_t>(pid_), &status, 0);
    if (ended == static_cast<pid_t>(pid_)) status_ = shell_status(status);
    if (ended < 0 && errno != EINTR) break;
  }
  return status_.value_or(exit_usage);
}

void wait_until(Clock::time_point deadline, Child* child) {
  constexpr std::chrono::milliseconds look_at_child{50};
  while (!interrupted() && !(child != nullptr && child->status())) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return;
    if (child != nullptr) left = std::min(left, look_at_child);
    ::poll(nullptr, 0, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
  }
}

}  // namespace vmscan::cli
