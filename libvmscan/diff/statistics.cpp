#include "libvmscan/diff/statistics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

namespace vmscan::statistics {
namespace {

constexpr double largest_coefficient = 0.995;
constexpr std::size_t coefficient_steps = 200;
constexpr double least_freedom = 3;  // a random walk grows so much by itself in less than one series of a hundred

/// Position of value i from the middle.
double centred(std::size_t i, std::size_t count) {
  return static_cast<double>(i) - (static_cast<double>(count) - 1) / 2;
}

struct Line {
  double middle = 0, slope = 0;
};

Line least_squares(std::span<const double> values) {
  Line line;
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double t = centred(i, values.size());
    line.middle += values[i] / static_cast<double>(values.size());
    line.slope += t * values[i];
    squares += t * t;
  }
  line.slope = squares > 0 ? line.slope / squares : 0;
  return line;
}

std::vector<double> residuals(std::span<const double> values) {
  const Line line = least_squares(values);
  std::vector<double> rest(values.begin(), values.end());
  for (std::size_t i = 0; i < rest.size(); ++i) rest[i] -= line.middle + line.slope * centred(i, rest.size());
  return rest;
}

double sum_of_squares(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum;
}

/// R x, where R_ij = coefficient^|i - j|.
std::vector<double> correlated(std::span<const double> x, double coefficient) {
  std::vector<double> product(x.size());
  double before = 0, behind = 0;
  for (std::size_t i = 0; i < x.size(); ++i) product[i] = before = x[i] + coefficient * before;
  for (std::size_t i = x.size(); i-- > 0;) {
    product[i] += behind;
    behind = coefficient * (x[i] + behind);
  }
  return product;
}

/// P(Z > z) of the normal distribution.
double normal_tail(double z) { return std::erfc(z / std::numbers::sqrt2) / 2; }

/// Integral of cos(x)^power from `begin` to pi / 2 (Simpson).
double cosine_integral(double begin, double power) {
  constexpr int steps = 64;
  const double width = (std::numbers::pi / 2 - begin) / steps;
  const auto at = [&](double x) { return std::pow(std::max(std::cos(x), 0.0), power); };
  double sum = 0;
  for (int i = 0; i < steps; ++i) {
    const double x = begin + i * width;
    sum += at(x) + 4 * at(x + width / 2) + at(x + width);
  }
  return sum * width / 6;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

std::vector<double> block_medians(std::span<const double> values, std::size_t count) {
  count = std::min(count, values.size());
  std::vector<double> blocks;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = values.size() * i / count, end = values.size() * (i + 1) / count;
    const auto block = values.subspan(begin, end - begin);
    blocks.push_back(median({block.begin(), block.end()}));
  }
  return blocks;
}

std::vector<double> block_positions(std::size_t values, std::size_t count) {
  count = std::min(count, values);
  std::vector<double> positions;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = values * i / count, end = values * (i + 1) / count;
    positions.push_back(static_cast<double>(begin + end) / 2 * static_cast<double>(count) /
                        static_cast<double>(values));
  }
  return positions;
}

double theil_sen_slope(std::span<const double> values, std::span<const double> positions) {
  std::vector<double> slopes;
  slopes.reserve(values.size() * (values.size() + 1) / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j)
      slopes.push_back((values[j] - values[i]) /
                       (positions.empty() ? static_cast<double>(j - i) : positions[j] - positions[i]));
  }
  return median(std::move(slopes));
}

MannKendall mann_kendall(std::span<const double> values) {
  MannKendall result;
  std::map<double, std::size_t> ties;
  for (std::size_t i = 0; i < values.size(); ++i) {
    ++ties[values[i]];
    for (std::size_t j = i + 1; j < values.size(); ++j)
      result.s += (values[j] > values[i] ? 1 : 0) - (values[j] < values[i] ? 1 : 0);
  }
  const auto term = [](std::size_t count) {
    const auto n = static_cast<double>(count);
    return n * (n - 1) * (2 * n + 5);
  };
  result.variance = term(values.size());
  for (const auto& [value, count] : ties) result.variance -= term(count);
  result.variance /= 18;
  if (result.variance <= 0) return result;
  const double deviation = std::sqrt(result.variance);
  result.p_rising = normal_tail((result.s - 1) / deviation);
  result.p_falling = normal_tail((-result.s - 1) / deviation);
  return result;
}

// With t = sqrt(freedom) tan(x) the density becomes cos(x)^(freedom - 1).
double student_tail(double t, double freedom) {
  const double tail = cosine_integral(std::atan(std::fabs(t) / std::sqrt(freedom)), freedom - 1) /
                      (2 * cosine_integral(0, freedom - 1));
  return t >= 0 ? tail : 1 - tail;
}

double student_quantile(double p, double freedom) {
  const double wanted = 2 * p * cosine_integral(0, freedom - 1);
  double low = 0, high = std::numbers::pi / 2;  // of x
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (cosine_integral(middle, freedom - 1) > wanted ? low : high) = middle;
  }
  return std::sqrt(freedom) * std::tan((low + high) / 2);
}

// With the correlations of the noise in a matrix R, of ones 1 and of the centred positions t, residuals of least
// squares are M x with M = I - 11'/n - tt'/t't; their covariances are M R M, and the variance of the slope is t'Rt /
// (t't)^2.
LineInNoise::LineInNoise(std::size_t count) {
  const auto n = static_cast<double>(count);
  std::vector<double> t(count);
  const std::vector<double> ones(count, 1.0);
  for (std::size_t i = 0; i < count; ++i) t[i] = centred(i, count);
  const double tt = sum_of_squares(t);
  for (std::size_t step = 0; step <= coefficient_steps; ++step) {
    const double coefficient = largest_coefficient * static_cast<double>(step) / coefficient_steps;
    const std::vector<double> row = correlated(ones, coefficient), moment = correlated(t, coefficient);  // R1, Rt
    double all = 0, tRt = 0;  // 1'R1, t'Rt; 1'Rt is 0 by symmetry
    for (std::size_t i = 0; i < count; ++i) {
      all += row[i];
      tRt += t[i] * moment[i];
    }
    const auto covariance = [&](std::size_t i, std::size_t j, double r) {
      return r - (row[i] + row[j]) / n - (t[j] * moment[i] + t[i] * moment[j]) / tt + all / (n * n) +
             t[i] * t[j] * tRt / (tt * tt);
    };
    double squares = 0, products = 0;
    for (std::size_t i = 0; i < count; ++i) {
      squares += covariance(i, i, 1);
      if (i > 0) products += covariance(i, i - 1, coefficient);
    }
    moments_.push_back({products / squares, tRt / (tt * tt) / squares});
  }
}

double LineInNoise::coefficient(double residual_correlation) const {
  const auto above = std::upper_bound(moments_.begin(), moments_.end(), residual_correlation,
                                      [](double r, const Moment& moment) { return r < moment.correlation; });
  if (above == moments_.begin()) return 0;
  if (above == moments_.end()) return largest_coefficient;
  const Moment& below = *(above - 1);
  const double part = (residual_correlation - below.correlation) / (above->correlation - below.correlation);
  return largest_coefficient * (static_cast<double>(above - moments_.begin() - 1) + part) / coefficient_steps;
}

double LineInNoise::slope_variance(double coefficient) const {
  const double at = coefficient / largest_coefficient * coefficient_steps;
  const std::size_t below = std::min(static_cast<std::size_t>(at), coefficient_steps - 1);
  const double part = at - static_cast<double>(below);
  return moments_[below].slope_variance * (1 - part) + moments_[below + 1].slope_variance * part;
}

// Half of the number of independent values as degrees of freedom: chosen by simulation (scripts/trend-power), it keeps
// false alarms at the promised rate also where the coefficient was estimated too small by chance.
SlopeTest test_slope(std::span<const double> values, const LineInNoise& line, std::span<const double> positions) {
  SlopeTest test;
  const std::vector<double> rest = residuals(values);
  const double squares = sum_of_squares(rest);
  double products = 0;
  for (std::size_t i = 1; i < rest.size(); ++i) products += rest[i] * rest[i - 1];
  const auto count = static_cast<double>(values.size());
  test.slope = theil_sen_slope(values, positions);
  test.coefficient = line.coefficient(squares > 0 ? products / squares : 0);
  test.standard_error = std::sqrt(squares * line.slope_variance(test.coefficient));
  test.freedom = std::max(least_freedom, count / 2 * (1 - test.coefficient) / (1 + test.coefficient));
  if (test.slope == 0) return test;
  const double t = test.slope / test.standard_error;  // infinite for an exact line
  const double p = std::isfinite(t) ? student_tail(t, test.freedom) : t > 0 ? 0.0 : 1.0;
  const MannKendall ranks = mann_kendall(values);
  test.p_rising = std::max(p, ranks.p_rising);
  test.p_falling = std::max(1 - p, ranks.p_falling);
  return test;
}

double squares_around_line(std::span<const double> values) { return sum_of_squares(residuals(values)); }

Step best_step(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0, left = 0;
  for (const double value : values) sum += value;
  double squares = 0;
  for (const double value : values) squares += (value - sum / count) * (value - sum / count);
  Step best{0, 0, squares};
  for (std::size_t i = 1; i < values.size(); ++i) {
    left += values[i - 1];
    const auto before = static_cast<double>(i), after = count - before;
    const double height = (sum - left) / after - left / before;
    const double rest = squares - height * height * before * after / count;
    if (rest < best.squares) best = {i, height, std::max(rest, 0.0)};
  }
  return best;
}

std::size_t warm_up_length(std::span<const double> values) {
  std::size_t best = 0;
  double least = 0;
  for (std::size_t dropped = 0; dropped <= values.size() / 2; ++dropped) {
    const auto rest = values.subspan(dropped);
    if (rest.size() < 4) break;
    const auto count = static_cast<double>(rest.size());
    const double score = squares_around_line(rest) / (count - 2) / (count * count);
    if (dropped == 0 || score < least) {
      best = dropped;
      least = score;
    }
  }
  return best;
}

}  // namespace vmscan::statistics
