// What one input may cost a program that is tried with hostile inputs: processor time and memory, counted by the
// program itself. Linking budget.cpp replaces operator new.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vmscan::tests {

struct Cost {
  double cpu_seconds = 0;      // of all threads
  std::size_t peak_bytes = 0;  // taken with operator new at one time, beside what was there before
};

class Budget {
 public:
  Budget();
  /// Names what is done next, for the message when the budget is exceeded.
  void stage(const char* name);
  Cost spent() const;
  /// Ends the program when an input of `input_bytes` cost more than it may: 2 s and 200 MiB for less than 1 MiB. A
  /// build with sanitizers is granted 10 times as long, one that is not optimised 5 times.
  void check(std::size_t input_bytes);

  static constexpr double most_seconds = 2;
  static constexpr std::size_t most_bytes = std::size_t{200} << 20, small_input = std::size_t{1} << 20;

 private:
  struct Stage {
    const char* name = "";
    double began = 0, most = 0;
  };
  void end_stage();

  double began_ = 0;
  std::size_t bytes_before_ = 0;
  Stage now_, longest_;
};

/// Of the budget that was checked last.
Cost last_cost();

}  // namespace vmscan::tests
