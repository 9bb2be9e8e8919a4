// Threads of a process, their names and, where it may be read, their stack pointers.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "libvmscan/source/linux/live_process.h"
#include "libvmscan/source/linux/text/maps_text.h"

namespace vmscan {
namespace {

std::string first_line(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

ThreadsFound find_threads(const ProcDir& proc) {
  ThreadsFound found;
  const auto names = proc.list("task");
  if (!names) return found;
  std::size_t denied = 0, running = 0;
  for (const std::string& name : *names) {
    std::string_view digits = name;
    std::uint64_t id = 0;
    if (!take_decimal(digits, id) || id == static_cast<std::uint64_t>(::gettid())) continue;  // not us, who look
    const auto comm = proc.read(fmt::format("task/{}/comm", name));
    if (!comm) continue;  // it has just ended
    Thread thread{.id = static_cast<std::uint32_t>(id), .name = first_line(*comm), .stack_pointer = {}};
    const auto syscall = proc.read(fmt::format("task/{}/syscall", name));
    if (syscall) {
      thread.stack_pointer = parse_syscall_stack_pointer(*syscall);
      running += syscall->starts_with("running");
    } else {
      denied += syscall.error().code == ErrorCode::AccessDenied;
    }
    found.threads.push_back(std::move(thread));
  }
  std::sort(found.threads.begin(), found.threads.end(), [](const Thread& a, const Thread& b) { return a.id < b.id; });
  if (denied > 0)
    found.notes.push_back(
        {"thread_stacks_denied",
         fmt::format("the stack pointers of {} threads may not be read: their stacks count as Private Data; "
                     "run as root or with CAP_SYS_PTRACE to find them",
                     denied)});
  else if (running > 0 && found.threads.size() > 1)
    found.notes.push_back(
        {"threads_running",
         fmt::format("{} of {} threads were running: their stacks could not be found and count as Private Data",
                     running, found.threads.size())});
  return found;
}

}  // namespace vmscan
