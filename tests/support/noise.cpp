#include "tests/support/noise.h"

#include <algorithm>
#include <cmath>
#include <fstream>

namespace vmscan::tests {
namespace {

double uniform(Random& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
}

}  // namespace

std::vector<double> read_noise(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::vector<double> noise;
  for (double kib = 0; stream >> kib;) noise.push_back(kib * 1024);
  return noise;
}

std::vector<double> resample(const std::vector<double>& noise, std::size_t seconds, Random& random) {
  constexpr std::size_t seam_s = 15;  // levels are medians: a spike at the seam must not become a slope
  constexpr double forgets_in_s = 60;
  const auto count = static_cast<double>(noise.size());
  std::vector<double> series;
  double level = noise[static_cast<std::size_t>(uniform(random, 0, count))];
  while (series.size() < seconds) {
    const auto length = static_cast<std::size_t>(std::min(count / 2, uniform(random, 120, 480)));
    const auto begin = static_cast<std::size_t>(uniform(random, 0, count - static_cast<double>(length)));
    std::vector<double> piece(noise.begin() + static_cast<std::ptrdiff_t>(begin),
                              noise.begin() + static_cast<std::ptrdiff_t>(begin + length));
    if (uniform(random, 0, 1) < 0.5) std::reverse(piece.begin(), piece.end());
    const double shift = level - statistics::median({piece.begin(), piece.begin() + seam_s});
    for (std::size_t i = 0; i < length; ++i) piece[i] += shift * std::exp(-static_cast<double>(i) / forgets_in_s);
    level = statistics::median({piece.end() - seam_s, piece.end()});
    series.insert(series.end(), piece.begin(), piece.end());
  }
  series.resize(seconds);
  return series;
}

Trend trend_of_heap(const std::vector<double>& bytes, std::int64_t interval_ms, WarmUp warm_up) {
  std::vector<TrendSample> samples;
  for (const double value : bytes) {
    TrendSample sample{static_cast<std::int64_t>(samples.size()) * interval_ms, 1, 0, {}};
    sample.summary.rows[static_cast<std::size_t>(RegionType::Heap)].usage.private_ws =
        static_cast<std::uint64_t>(std::max(value, 0.0)) / 4096 * 4096;
    samples.push_back(sample);
  }
  return {std::move(samples), warm_up};
}

}  // namespace vmscan::tests
