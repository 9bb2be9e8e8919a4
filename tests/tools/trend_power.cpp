// How often the trend test calls a leak where there is none, and after how many samples it calls one: series made of
// measured noise. scripts/trend-power runs it.
//   trend_power NOISE.txt INTERVAL_S SAMPLES LEAK_BYTES_PER_S RUNS [SEED]
// NOISE.txt holds one number (KiB) a second. Each series is put together from pieces of it: of random length (120 to
// 480 seconds), from random places, forwards or backwards, each piece shifted to begin where the last ended, so that
// there is no jump; the shift dies away (in 60 seconds to a third), so that the whole does not drift. Prints "alarms
// runs", and for a leak the number of samples at which it is called in half and in nine tenths of the runs.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include "libvmscan/diff/trend.h"

using namespace vmscan;

namespace {

using Random = std::mt19937_64;

double uniform(Random& random, double low, double high) {
  return std::uniform_real_distribution<double>(low, high)(random);
}

std::vector<double> read_noise(const char* path) {
  std::ifstream file(path);
  std::vector<double> noise;
  for (double kib = 0; file >> kib;) noise.push_back(kib * 1024);
  return noise;
}

constexpr std::ptrdiff_t seam_s = 15;

/// A value a second.
std::vector<double> resample(const std::vector<double>& noise, std::size_t seconds, Random& random) {
  std::vector<double> series;
  double level = noise[static_cast<std::size_t>(uniform(random, 0, static_cast<double>(noise.size() - 1)))];
  while (series.size() < seconds) {
    const double most = static_cast<double>(noise.size()) / 2;
    const auto length = static_cast<std::size_t>(std::min(most, uniform(random, 120, 480)));
    const auto begin = static_cast<std::size_t>(uniform(random, 0, static_cast<double>(noise.size() - length)));
    const bool backwards = uniform(random, 0, 1) < 0.5;
    const auto at = [&](std::size_t i) { return noise[backwards ? begin + length - 1 - i : begin + i]; };
    // Levels are medians, so that a spike at the seam does not become a slope.
    std::vector<double> head;
    for (std::size_t i = 0; i < static_cast<std::size_t>(seam_s); ++i) head.push_back(at(i));
    const double shift = level - statistics::median(std::move(head));
    for (std::size_t i = 0; i < length; ++i) series.push_back(at(i) + shift * std::exp(-static_cast<double>(i) / 60));
    level = statistics::median({series.end() - seam_s, series.end()});
  }
  series.resize(seconds);
  return series;
}

/// The heap at each of the first `count` samples.
Trend trend_of(const std::vector<double>& bytes, std::size_t count, std::size_t interval_s) {
  std::vector<TrendSample> samples;
  for (std::size_t i = 0; i < count; ++i) {
    TrendSample sample{static_cast<std::int64_t>(i * interval_s * 1000), 1, 0, {}};
    const double value = std::max(bytes[i * interval_s], 0.0);
    sample.summary.rows[static_cast<std::size_t>(RegionType::Heap)].usage.private_ws =
        static_cast<std::uint64_t>(value) / 4096 * 4096;
    samples.push_back(sample);
  }
  return {std::move(samples), {}};
}

bool calls(const std::vector<double>& bytes, std::size_t count, std::size_t interval_s) {
  static const Condition condition = parse_condition("heap.private_ws slope > 1MiB/h").value();
  return trend_of(bytes, count, interval_s).judge(condition).outcome == Verdict::Outcome::Tripped;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const std::vector<double> noise = read_noise(argv[1]);
  const auto interval_s = static_cast<std::size_t>(std::atoi(argv[2])),
             samples = static_cast<std::size_t>(std::atoi(argv[3]));
  const double leak = std::atof(argv[4]);
  const int runs = std::atoi(argv[5]);
  Random random(argc > 6 ? static_cast<std::uint64_t>(std::atoi(argv[6])) : 1);
  int alarms = 0;
  std::vector<std::size_t> called;
  for (int run = 0; run < runs; ++run) {
    std::vector<double> bytes = resample(noise, samples * interval_s, random);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += leak * static_cast<double>(i);
    if (leak == 0) {
      alarms += calls(bytes, samples, interval_s) ? 1 : 0;
      continue;
    }
    for (double count = min_trend_samples; static_cast<std::size_t>(count) <= samples;
         count = std::ceil(count * 1.05)) {
      if (!calls(bytes, static_cast<std::size_t>(count), interval_s)) continue;
      called.push_back(static_cast<std::size_t>(count));
      break;
    }
  }
  if (leak == 0) {
    std::cout << alarms << ' ' << runs << '\n';
    return 0;
  }
  std::sort(called.begin(), called.end());
  const auto at = [&](double part) {
    const auto index = static_cast<std::size_t>(part * runs);
    return index < called.size() ? std::to_string(called[index]) : std::string("-");
  };
  std::cout << called.size() << ' ' << runs << ' ' << at(0.5) << ' ' << at(0.9) << '\n';
}
