// How often the trend test calls a leak where there is none, and after how many samples it calls one, in series of
// measured noise (tests/support/noise.h). scripts/trend-power runs it:
//   trend_power NOISE.txt INTERVAL_S SAMPLES LEAK_BYTES_PER_S RUNS [SEED]
// prints how many of RUNS series were called, and for a leak the number of samples (tried in steps of 5 %, at most
// SAMPLES) at which it is called for the first time in half and in nine tenths of the runs.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/support/noise.h"

using namespace vmscan;

namespace {

struct Plan {
  std::size_t interval_s, samples;
  double leak_bytes_per_s;
};

bool is_called(const std::vector<double>& bytes, std::size_t interval_s) {
  static const Condition condition = parse_condition("heap.private_ws slope > 1MiB/h").value();
  return tests::trend_of_heap(bytes, static_cast<std::int64_t>(interval_s) * 1000).judge(condition).outcome ==
         Verdict::Outcome::Tripped;
}

/// Number of samples at which one series is called; 0: never.
std::size_t called_at(const std::vector<double>& noise, const Plan& plan, tests::Random& random) {
  const std::vector<double> seconds = tests::resample(noise, plan.samples * plan.interval_s, random);
  std::vector<double> bytes;
  for (std::size_t i = 0; i < seconds.size(); i += plan.interval_s)
    bytes.push_back(seconds[i] + plan.leak_bytes_per_s * static_cast<double>(i));
  if (plan.leak_bytes_per_s == 0) return is_called(bytes, plan.interval_s) ? bytes.size() : 0;
  const auto all = static_cast<double>(bytes.size());
  for (double count = min_trend_samples; count <= all; count = std::ceil(count * 1.05)) {
    const auto first = static_cast<std::ptrdiff_t>(count);
    if (is_called({bytes.begin(), bytes.begin() + first}, plan.interval_s)) return static_cast<std::size_t>(count);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const std::vector<double> noise = tests::read_noise(argv[1]);
  const auto number = [argv](int i) { return static_cast<std::size_t>(std::strtoull(argv[i], nullptr, 10)); };
  const Plan plan{number(2), number(3), std::atof(argv[4])};
  const std::size_t runs = number(5);
  if (noise.empty() || plan.interval_s == 0) return 2;
  tests::Random random(argc > 6 ? number(6) : 1);
  std::vector<std::size_t> called;
  for (std::size_t run = 0; run < runs; ++run) {
    if (const std::size_t at = called_at(noise, plan, random); at > 0) called.push_back(at);
  }
  std::sort(called.begin(), called.end());
  const auto at = [&](double part) {
    const auto index = static_cast<std::size_t>(part * static_cast<double>(runs));
    return index < called.size() ? std::to_string(called[index]) : std::string("-");
  };
  std::cout << called.size();
  if (plan.leak_bytes_per_s > 0) std::cout << ' ' << at(0.5) << ' ' << at(0.9);
  std::cout << '\n';
}
