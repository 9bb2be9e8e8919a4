// Series made of the measured noise in tests/data/noise.
#pragma once

#include <filesystem>
#include <random>
#include <vector>

#include "libvmscan/diff/trend.h"

namespace vmscan::tests {

using Random = std::mt19937_64;

/// Private working set in bytes, a value a second, of a process of that name; empty when there is no such file.
std::vector<double> read_noise(const std::filesystem::path& file);

/// A value a second, put together from pieces of the noise: of random length (2 to 8 minutes), from random places,
/// forwards or backwards, each shifted to begin at the level where the last ended, so that there is no jump; the shift
/// dies away (in a minute to a third), so that the whole does not drift.
std::vector<double> resample(const std::vector<double>& noise, std::size_t seconds, Random& random);

/// A trend over heaps of so many bytes, one every `interval_ms`; what is negative becomes 0, whole pages.
Trend trend_of_heap(const std::vector<double>& bytes, std::int64_t interval_ms, WarmUp warm_up = {});

}  // namespace vmscan::tests
