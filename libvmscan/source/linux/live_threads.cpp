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

/// The id of a thread in the innermost pid namespace, which is what the thread itself knows.
std::optional<std::uint32_t> inner_id_of(const ProcDir& proc, const std::string& thread) {
  const auto status = proc.read(fmt::format("task/{}/status", thread));
  const auto ids = status ? parse_status(*status).namespace_pids : std::vector<std::uint32_t>{};
  return ids.empty() ? std::nullopt : std::optional(ids.back());
}

}  // namespace

ThreadsFound find_threads(const ProcDir& proc, bool nested) {
  ThreadsFound found;
  const auto names = proc.list("task");
  if (!names) return found;
  for (const std::string& name : *names) {
    std::string_view digits = name;
    std::uint64_t id = 0;
    if (!take_decimal(digits, id) || id == static_cast<std::uint64_t>(::gettid())) continue;  // not us, who look
    const auto comm = proc.read(fmt::format("task/{}/comm", name));
    if (!comm) continue;  // it has just ended
    Thread thread{.id = static_cast<std::uint32_t>(id), .name = first_line(*comm), .stack_pointer = {}};
    if (nested) thread.inner_id = inner_id_of(proc, name);
    const auto syscall = proc.read(fmt::format("task/{}/syscall", name));
    if (syscall) thread.stack_pointer = parse_syscall_stack_pointer(*syscall);
    found.denied |= !syscall && syscall.error().code == ErrorCode::AccessDenied;
    found.threads.push_back(std::move(thread));
  }
  std::sort(found.threads.begin(), found.threads.end(), [](const Thread& a, const Thread& b) { return a.id < b.id; });
  return found;
}

}  // namespace vmscan
