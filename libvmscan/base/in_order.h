// Tasks on several threads, whose results are taken in order.
#pragma once

#include <cstddef>
#include <deque>
#include <future>
#include <utility>

#include "libvmscan/base/run_on_threads.h"

namespace vmscan {

/// Calls `work(i)` for each i below `count`, `threads` (at least 1) of them at a time, and on this thread, in rising
/// order, `take(i, result)`. So at most `threads` results wait to be taken. Where no thread can be had, this one works.
template <class Work, class Take>
void for_each_in_order(std::size_t count, unsigned threads, const Work& work, const Take& take) {
  if (threads <= 1 || count <= 1) {
    for (std::size_t i = 0; i < count; ++i) take(i, work(i));
    return;
  }
  std::deque<std::future<decltype(work(std::size_t{0}))>> running;
  std::size_t started = 0;
  const auto start = [&] {
    while (started < count && running.size() < threads)
      running.push_back(std::async(beside_if_possible, [&work, i = started++] { return work(i); }));
  };
  for (std::size_t i = 0; i < count; ++i) {
    start();
    auto result = running.front().get();
    running.pop_front();
    start();
    take(i, std::move(result));
  }
}

}  // namespace vmscan
