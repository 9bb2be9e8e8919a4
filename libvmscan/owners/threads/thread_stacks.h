// Stacks of threads, found in the structures that the C library keeps of its threads: running threads as well as
// blocked ones, without stopping anything and without symbols.
#pragma once

#include "libvmscan/memory/target_memory.h"

namespace vmscan {

/// Looks for the lists of glibc and of musl and fills Facts::stacks, Thread::control_block and the notes on threads
/// whose stack nobody could tell. Works on any source with memory; what the lists hold is checked against the threads
/// that the source found, so a structure of the program that only looks like one is not believed.
void find_thread_stacks(Facts& facts, const MemoryReader& reader);

/// Adds a note when nothing told the stacks of some threads of a live process.
void note_missing_stacks(Facts& facts);

/// Looks on the stacks of blocked threads for handlers of signals that have not returned (x86 only), and for idle
/// signal stacks, and fills Facts::signal_stacks. After stacks, heaps and runtimes are known: what lies in them is left
/// out.
void find_signal_stacks(Facts& facts, const MemoryReader& reader);

/// Signal stacks on which no handler runs, by address.
std::vector<SignalStack> find_idle_signal_stacks(const TargetMemory& memory);

/// What one C library's lists hold.
struct ThreadLists {
  struct ControlBlock {
    std::uint32_t inner_id = 0;
    Address address = 0;
  };
  std::vector<ThreadStack> stacks;  // ThreadStack::thread is the inner id here
  std::vector<ControlBlock> control_blocks;
};

/// Whether a thread of the target has this id in its own pid namespace. Never for 0.
class ThreadIds {
 public:
  explicit ThreadIds(const Facts& facts);
  bool known(std::uint32_t inner_id) const;
  /// The thread with this id as the facts number it; null when there is none.
  std::optional<std::uint32_t> outer(std::uint32_t inner_id) const;

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ids_;  // inner, outer
};

ThreadLists find_glibc_threads(const TargetMemory& memory, const ThreadIds& ids);
ThreadLists find_musl_threads(const TargetMemory& memory, const ThreadIds& ids);

/// All of `range` that is readable, at most `most_bytes` of it, a run at a time. `look` returns false to stop.
template <class Look>
void for_each_readable_run(const TargetMemory& memory, Range range, std::size_t most_bytes, Look look) {
  std::vector<std::byte> bytes;
  for (const Range& run : memory.readable(range)) {
    bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(run.size(), most_bytes)));
    bytes.resize(memory.read(run.begin, bytes));
    most_bytes -= bytes.size();
    if (!bytes.empty() && !look(run.begin, std::span<const std::byte>(bytes))) return;
    if (most_bytes == 0) return;
  }
}

}  // namespace vmscan
