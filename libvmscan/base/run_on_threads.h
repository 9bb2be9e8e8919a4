// Work on several threads, or on fewer where the system allows no more.
#pragma once

#include <algorithm>
#include <functional>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

namespace vmscan {

/// For std::async: on a thread of its own, or where none can be had when the result is asked for.
inline constexpr auto beside_if_possible = std::launch::async | std::launch::deferred;

/// Processors that this process may use, at least 1. Asked for once: glibc reads a file for it, and is asked for each
/// small read.
inline unsigned processors() {
  static const unsigned count = std::max(std::thread::hardware_concurrency(), 1U);
  return count;
}

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
