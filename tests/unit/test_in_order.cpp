// Results of tasks on several threads are taken in order, however long each takes.
#include "libvmscan/base/in_order.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace vmscan;

TEST_CASE("results are taken in order, by the thread that asked, and few wait") {
  const unsigned threads = GENERATE(1U, 2U, 5U);
  std::atomic<int> waiting = 0, most = 0;
  std::vector<std::size_t> taken;
  const auto asked = std::this_thread::get_id();
  for_each_in_order(
      40, threads,
      [&](std::size_t i) {
        std::this_thread::sleep_for(std::chrono::microseconds(i % 7 * 300));
        const int now = ++waiting;
        for (int before = most; before < now && !most.compare_exchange_weak(before, now);) continue;
        return 3 * i;
      },
      [&](std::size_t i, std::size_t result) {
        --waiting;
        CHECK(std::this_thread::get_id() == asked);
        CHECK(result == 3 * i);
        taken.push_back(i);
      });
  REQUIRE(taken.size() == 40);
  CHECK(std::is_sorted(taken.begin(), taken.end()));
  CHECK(most <= static_cast<int>(threads) + 1);
}

TEST_CASE("what a task throws is thrown where it is taken") {
  std::size_t taken = 0;
  const auto run = [&] {
    for_each_in_order(
        10, 3,
        [](std::size_t i) {
          if (i == 4) throw std::runtime_error("4");
          return i;
        },
        [&](std::size_t, std::size_t) { ++taken; });
  };
  CHECK_THROWS_WITH(run(), "4");
  CHECK(taken == 4);
}
