#include "libvmscan/owners/threads/thread_stacks.h"

#include <fmt/format.h>

#include <algorithm>

namespace vmscan {
namespace {

/// Keeps the stacks that do not overlap one before them, by address: hostile lists may say anything.
void keep_apart(std::vector<ThreadStack>& stacks) {
  std::stable_sort(stacks.begin(), stacks.end(),
                   [](const ThreadStack& a, const ThreadStack& b) { return a.range.begin < b.range.begin; });
  Address end = 0;
  std::erase_if(stacks, [&](const ThreadStack& stack) {
    if (stack.range.begin < end) return true;
    end = stack.range.end;
    return false;
  });
}

void take(const ThreadIds& ids, ThreadLists lists, Facts& facts) {
  for (const ThreadLists::ControlBlock& block : lists.control_blocks) {
    const std::uint32_t id = ids.outer(block.inner_id).value_or(0);
    const auto thread = std::partition_point(facts.threads.begin(), facts.threads.end(),
                                             [&](const Thread& each) { return each.id < id; });
    if (thread != facts.threads.end() && thread->id == id) thread->control_block = block.address;
  }
  for (ThreadStack& stack : lists.stacks) {
    // A thread that the source did not see was born meanwhile, or has just ended.
    stack.thread = ids.outer(stack.thread).value_or(stack.thread);
    facts.stacks.push_back(stack);
  }
}

}  // namespace

ThreadIds::ThreadIds(const Facts& facts) {
  const auto& outer = facts.target.namespace_pids;
  for (const Thread& thread : facts.threads) {
    std::uint32_t inner = thread.inner_id.value_or(thread.id);
    if (!thread.inner_id && !outer.empty() && thread.id == facts.target.pid) inner = outer.back();
    if (inner != 0) ids_.emplace_back(inner, thread.id);
  }
  std::sort(ids_.begin(), ids_.end());
}

std::optional<std::uint32_t> ThreadIds::outer(std::uint32_t inner_id) const {
  const auto it = std::lower_bound(ids_.begin(), ids_.end(), std::pair(inner_id, std::uint32_t{0}));
  return it != ids_.end() && it->first == inner_id ? std::optional(it->second) : std::nullopt;
}

bool ThreadIds::known(std::uint32_t inner_id) const { return outer(inner_id).has_value(); }

void find_thread_stacks(Facts& facts, const MemoryReader& reader) {
  facts.stacks.clear();
  if (facts.threads.empty()) return;
  const ThreadIds ids(facts);
  ThreadLists lists;
  {
    const TargetMemory memory(facts, reader);
    lists = find_glibc_threads(memory, ids);
    if (lists.control_blocks.empty()) lists = find_musl_threads(memory, ids);
  }
  take(ids, std::move(lists), facts);
  keep_apart(facts.stacks);
}

void note_missing_stacks(Facts& facts) {
  const auto listed = threads_with_listed_stack(facts);
  const auto missing = std::count_if(facts.threads.begin(), facts.threads.end(), [&](const Thread& thread) {
    return !listed.contains(thread.id) && !thread.stack_pointer && thread.id != facts.target.pid;
  });
  if (missing > 0 && facts.stack_pointers_denied)
    facts.notes.push_back(
        {"thread_stacks_denied",
         fmt::format("the stack pointers of {} threads may not be read: their stacks count as Private Data; "
                     "run as root or with CAP_SYS_PTRACE to find them",
                     missing)});
  else if (missing > 0)
    facts.notes.push_back(
        {"threads_running",
         fmt::format("{} of {} threads were running and in no list of a C library: their stacks could not be found and "
                     "count as Private Data",
                     missing, facts.threads.size())});
}

}  // namespace vmscan
