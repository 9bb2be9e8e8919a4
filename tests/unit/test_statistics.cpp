#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "libvmscan/diff/statistics.h"

using namespace vmscan::statistics;

namespace {

/// AR(1) noise of unit variance.
std::vector<double> wander(std::size_t count, double coefficient, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  std::vector<double> values(count);
  double at = normal(random);
  for (double& value : values) {
    value = at;
    at = coefficient * at + std::sqrt(1 - coefficient * coefficient) * normal(random);
  }
  return values;
}

}  // namespace

TEST_CASE("the median is the middle value or the mean of the middle two") {
  CHECK(median({}) == 0);
  CHECK(median({3}) == 3);
  CHECK(median({9, 1, 5}) == 5);
  CHECK(median({4, 1, 9, 2}) == 3);
}

TEST_CASE("blocks are medians of pieces of nearly the same length") {
  CHECK(block_medians(std::array{1.0, 2.0, 3.0}, 5) == std::vector{1.0, 2.0, 3.0});
  CHECK(block_medians(std::array{1.0, 9.0, 2.0, 7.0, 7.0, 8.0}, 2) == std::vector{2.0, 7.0});
  CHECK(block_medians(std::vector<double>(10'007, 4.0)).size() == max_blocks);
}

TEST_CASE("the Theil-Sen slope is that of a line, whatever a few outliers do") {
  CHECK(theil_sen_slope(std::array{1.0, 3.0, 5.0, 7.0}) == 2);
  CHECK(theil_sen_slope(std::array{1.0, 3.0, 500.0, 7.0, 9.0, 11.0, 13.0}) == 2);
  CHECK(theil_sen_slope(std::array{5.0, 5.0, 5.0}) == 0);
  // 25 values in 24 blocks: the last is of two, so a step between the others is 24/25 of the mean length
  std::vector<double> line;
  for (int i = 0; i < 25; ++i) line.push_back(i);
  const auto positions = block_positions(line.size(), 24);
  CHECK(theil_sen_slope(block_medians(line, 24), positions) == Approx(25.0 / 24));
}

// Gilbert, Statistical Methods for Environmental Pollution Monitoring (1987), 16.4.1: 10, 15, 14, 20 has S = 4; and
// example 16.3's rule for ties. S and its variance by hand for the others.
TEST_CASE("Mann-Kendall counts rising and falling pairs and corrects its variance for ties") {
  const MannKendall gilbert = mann_kendall(std::array{10.0, 15.0, 14.0, 20.0});
  CHECK(gilbert.s == 4);
  CHECK(gilbert.variance == Approx(4.0 * 3 * 13 / 18));
  const MannKendall tied = mann_kendall(std::array{1.0, 2.0, 2.0, 3.0, 3.0, 3.0});
  CHECK(tied.s == 15 - 1 - 3);
  CHECK(tied.variance == Approx((6.0 * 5 * 17 - 2 * 1 * 9 - 3 * 2 * 11) / 18));
  CHECK(mann_kendall(std::array{7.0, 7.0, 7.0}).p_rising == 1);
  CHECK(mann_kendall(std::array{1.0, 2.0, 3.0, 4.0, 5.0, 6.0}).p_rising == Approx(0.00427).epsilon(0.01));
}

// Tables of Student's distribution.
TEST_CASE("Student's distribution") {
  CHECK(student_tail(0, 5) == Approx(0.5));
  CHECK(student_tail(6.314, 1) == Approx(0.05).epsilon(0.001));
  CHECK(student_tail(2.764, 10) == Approx(0.01).epsilon(0.001));
  CHECK(student_tail(-2.764, 10) == Approx(0.99).epsilon(0.001));
  CHECK(student_tail(5.893, 5) == Approx(0.001).epsilon(0.001));
  CHECK(student_quantile(0.025, 10) == Approx(2.228).epsilon(0.001));
  CHECK(student_quantile(0.025, 30) == Approx(2.042).epsilon(0.001));
  CHECK(student_quantile(0.001, 3) == Approx(10.215).epsilon(0.001));
  CHECK(student_quantile(0.001, 32) == Approx(3.365).epsilon(0.001));
}

TEST_CASE("for independent noise the standard error is that of least squares") {
  const LineInNoise line(32);
  const double tt = (32.0 * 32 * 32 - 32) / 12;  // sum of squared distances from the middle
  CHECK(line.slope_variance(0) == Approx(1 / tt / 30));
  CHECK(line.coefficient(-1) == 0);
  CHECK(line.coefficient(1) == Approx(0.995));
}

TEST_CASE("the coefficient of noise is found without the bias of the residuals") {
  std::mt19937_64 random(1);
  const LineInNoise line(64);
  for (const double coefficient : {0.3, 0.6, 0.9}) {
    std::vector<double> found;
    for (int i = 0; i < 1000; ++i) found.push_back(test_slope(wander(64, coefficient, random), line).coefficient);
    CHECK(median(found) == Approx(coefficient).margin(0.03));
  }
}

TEST_CASE("noise that wanders has no trend in at most a few of a thousand series, where Mann-Kendall sees many") {
  std::mt19937_64 random(2);
  const LineInNoise line(64);
  for (const double coefficient : {0.0, 0.5, 0.8}) {  // up to a seventh of the series: 64 / 9
    int called = 0, by_ranks = 0;
    for (int i = 0; i < 2000; ++i) {
      const std::vector<double> values = wander(64, coefficient, random);
      called += test_slope(values, line).p_rising <= 0.001 ? 1 : 0;
      by_ranks += mann_kendall(values).p_rising <= 0.001 ? 1 : 0;
    }
    CAPTURE(coefficient, by_ranks);
    CHECK(called <= 8);
    if (coefficient > 0.7) CHECK(by_ranks > 200);
  }
}

TEST_CASE("the 95 % interval holds the slope in about 95 % of the series") {
  std::mt19937_64 random(3);
  const LineInNoise line(64);
  for (const double coefficient : {0.0, 0.6}) {
    int held = 0;
    for (int i = 0; i < 1000; ++i) {
      std::vector<double> values = wander(64, coefficient, random);
      for (std::size_t j = 0; j < values.size(); ++j) values[j] += 0.1 * static_cast<double>(j);
      const SlopeTest test = test_slope(values, line);
      held += test.low() <= 0.1 && 0.1 <= test.high() ? 1 : 0;
    }
    CAPTURE(coefficient);
    CHECK(held >= 935);
  }
}

TEST_CASE("a line is significant, a constant is not, and neither divides by zero") {
  const LineInNoise line(20);
  std::vector<double> values(20, 7.0);
  CHECK(test_slope(values, line).p_rising == 1);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 3.0 * static_cast<double>(i);
  const SlopeTest rising = test_slope(values, line);
  CHECK(rising.slope == 3);
  CHECK(rising.p_rising < 1e-6);
  CHECK(rising.low() == Approx(3));
  CHECK(rising.p_falling == 1);
}

TEST_CASE("one step is found where it is") {
  std::vector<double> values(40, 1.0);
  for (std::size_t i = 25; i < 40; ++i) values[i] = 6.0;
  const Step step = best_step(values);
  CHECK(step.at == 25);
  CHECK(step.height == Approx(5));
  CHECK(step.squares == Approx(0).margin(1e-9));
  CHECK(squares_around_line(values) > 50);
}

TEST_CASE("the warm-up is what does not fit in with the line behind it") {
  std::mt19937_64 random(4);
  std::vector<double> values = wander(64, 0, random);
  CHECK(warm_up_length(values) <= 4);
  for (std::size_t i = 0; i < 12; ++i) values[i] -= 10.0 * static_cast<double>(12 - i);
  const std::size_t length = warm_up_length(values);
  CHECK(length >= 11);
  CHECK(length <= 14);
  CHECK(warm_up_length(std::array{1.0, 2.0}) == 0);
}
