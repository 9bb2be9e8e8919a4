// Ctrl-C, SIGTERM and SIGHUP. All threads block them, and one thread waits for them: so they are seen whatever the
// others wait for in the kernel, and what is to be done then need not be safe in a signal handler.
#include "cli/platform/posix/interrupts.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <vector>

namespace vmscan::cli {
namespace {

constexpr std::chrono::milliseconds grace{500};     // for a command to end by itself: within a second all is over
constexpr std::chrono::milliseconds patience{100};  // for a file that gets its name
constexpr std::size_t stack_bytes = 64 << 10;       // of the thread that waits

/// Never destroyed: the thread may need it while the program ends.
struct State {
  sigset_t signals{}, before{};
  std::atomic<int> seen{0};
  std::atomic<bool> caught{false};  // the command ends by itself
  std::mutex lock;                  // of the next three
  std::condition_variable woken;
  pid_t child = 0;
  std::timed_mutex files;  // of the next; held where names change
  std::vector<std::string> unfinished;
};

State& state() {
  static State* const only = new State;
  return *only;
}

[[noreturn]] void end(int signal) {
  State& now = state();
  const std::unique_lock lock(now.files, patience);
  if (lock.owns_lock())
    for (const std::string& path : now.unfinished) ::unlink(path.c_str());
  ::_exit(128 + signal);
}

/// What the terminal sends reaches the child as well.
bool pass_on(const siginfo_t& info) {
  State& now = state();
  const std::lock_guard lock(now.lock);
  if (now.child == 0) return false;
  if (info.si_code <= 0) ::kill(now.child, info.si_signo);
  return true;
}

void mark(int signal) {
  State& now = state();
  const std::lock_guard lock(now.lock);
  if (now.seen == 0) now.seen = signal;
  now.woken.notify_all();
}

/// Waits for a signal, at most so long.
int next_signal(siginfo_t& info, std::optional<std::chrono::milliseconds> most) {
  const sigset_t& signals = state().signals;
  if (!most) return ::sigwaitinfo(&signals, &info);
  const timespec time{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(*most).count()};
  return ::sigtimedwait(&signals, &info, &time);
}

void* watch(void*) {
  std::optional<std::chrono::milliseconds> left;
  for (siginfo_t info{};;) {
    const int signal = next_signal(info, left);
    if (signal < 0 && errno == EINTR) continue;
    if (signal < 0 || left || (!state().caught && !pass_on(info))) end(signal > 0 ? signal : state().seen.load());
    mark(signal);
    if (state().caught && !pass_on(info)) left = grace;
  }
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void watch_interrupts() {
  State& now = state();
  ::sigemptyset(&now.signals);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaddset(&now.signals, signal);
  if (!is_ignored(SIGHUP)) ::sigaddset(&now.signals, SIGHUP);  // as nohup wants it
  ::pthread_sigmask(SIG_BLOCK, &now.signals, &now.before);
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, std::max(stack_bytes, static_cast<std::size_t>(PTHREAD_STACK_MIN)));
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const bool watched = ::pthread_create(&thread, &attributes, watch, nullptr) == 0;
  ::pthread_attr_destroy(&attributes);
  if (!watched) unblock_interrupts();
}

void unblock_interrupts() { ::pthread_sigmask(SIG_SETMASK, &state().before, nullptr); }

void catch_interrupts() { state().caught = true; }

bool interrupted() { return state().seen != 0; }

int interrupt_exit_code() { return 128 + state().seen; }

void pass_interrupts_on(pid_t child) {
  const std::lock_guard lock(state().lock);
  state().child = child;
}

void sleep_until(Clock::time_point deadline) {
  State& now = state();
  std::unique_lock lock(now.lock);
  now.woken.wait_until(lock, deadline, [&] { return now.seen != 0; });
}

Unfinished::Unfinished(const std::string& path) : path_(path) {
  const std::lock_guard lock(state().files);
  state().unfinished.push_back(path);
}

Unfinished::~Unfinished() {
  const std::lock_guard lock(state().files);
  std::erase(state().unfinished, path_);
}

int undisturbed(const std::function<int()>& action) {
  const std::lock_guard lock(state().files);
  return action();
}

}  // namespace vmscan::cli
