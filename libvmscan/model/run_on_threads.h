// Work on several threads, or on fewer where the system allows no more.
#pragma once

#include <functional>
#include <system_error>
#include <thread>
#include <vector>

namespace vmscan {

/// Calls `work` on this thread and on up to `threads` - 1 others, and returns when all have come back. It must be done
/// by whoever comes: a limit of processes (RLIMIT_NPROC, pids.max of a control group) may allow no others.
template <class Work>
void run_on_threads(unsigned threads, Work& work) {
  std::vector<std::jthread> others;
  try {
    for (unsigned i = 1; i < threads; ++i) others.emplace_back(std::ref(work));
  } catch (const std::system_error&) {  // EAGAIN
  }
  work();
}

}  // namespace vmscan
