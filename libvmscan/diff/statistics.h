// Is there a trend in a series whose neighbours are alike? Pure functions over equally spaced values.
//
// Memory series wander: what is high now is high in a second. Tests that take the values for independent (Mann-Kendall
// by itself) call a trend in a third of all series that have none. So the series is first cut into blocks, which takes
// out spikes and most of the short memory; what is left is modelled as AR(1) around a line. Its coefficient is found by
// comparing the residuals' lag-1 correlation with what a line fitted to AR(1) noise leaves of it (an estimate without
// that correction is far too small), and the standard error of the slope follows exactly from it.
//
// Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968); Kendall, Rank correlation
// methods, 4th ed. (1975), for ties; Andrews, Exactly median-unbiased estimation of first order autoregressive/unit
// root models, Econometrica 61 (1993), for the idea of inverting the bias.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace vmscan::statistics {

inline constexpr std::size_t max_blocks = 64;

/// Of the middle two when their number is even; 0 of nothing.
double median(std::vector<double> values);

/// Medians of `count` consecutive pieces that differ by at most one value in length; all values when there are no more.
std::vector<double> block_medians(std::span<const double> values, std::size_t count = max_blocks);

/// Where the middles of these pieces are, in mean lengths of a piece: pieces of unlike length are not equally far
/// apart.
std::vector<double> block_positions(std::size_t values, std::size_t count);

/// Median of the slopes between all pairs, a step, or by `positions` (as many, rising). Quadratic: for blocks.
double theil_sen_slope(std::span<const double> values, std::span<const double> positions = {});

struct MannKendall {
  double s = 0;         // pairs that rise minus pairs that fall
  double variance = 0;  // of s without a trend, corrected for ties
  double p_rising = 1;  // one-sided, normal approximation with continuity correction
  double p_falling = 1;
};
MannKendall mann_kendall(std::span<const double> values);

/// P(T > t) of Student's distribution; `freedom` need not be whole.
double student_tail(double t, double freedom);
/// The t with student_tail(t) = p, for p < 0.5.
double student_quantile(double p, double freedom);

/// What a line fitted to AR(1) noise leaves and how far its slope is off, for one number of values.
class LineInNoise {
 public:
  explicit LineInNoise(std::size_t count);

  /// The coefficient of the noise whose residuals have this lag-1 correlation on average; from 0 to 0.995.
  double coefficient(double residual_correlation) const;
  /// Variance of the slope (a step) by the residuals' sum of squares.
  double slope_variance(double coefficient) const;

 private:
  struct Moment {
    double correlation, slope_variance;
  };
  std::vector<Moment> moments_;  // for equally spaced coefficients
};

struct SlopeTest {
  double slope = 0;                    // Theil-Sen, a step
  double standard_error = 0;           // of the slope, with the autocorrelation
  double freedom = 1;                  // degrees of freedom that the autocorrelation leaves; at least 3
  double coefficient = 0;              // of the AR(1) noise
  double p_rising = 1, p_falling = 1;  // the larger of Student's p and Mann-Kendall's

  double low(double p = 0.025) const { return slope - student_quantile(p, freedom) * standard_error; }
  double high(double p = 0.025) const { return slope + student_quantile(p, freedom) * standard_error; }
};
/// `line` is of the same number of values, at least 4. Only the slope heeds `positions`.
SlopeTest test_slope(std::span<const double> values, const LineInNoise& line, std::span<const double> positions = {});

/// Least squares: the sum of squares around a line, and around the best single step with where it is (the first value
/// behind it).
double squares_around_line(std::span<const double> values);
struct Step {
  std::size_t at = 0;
  double height = 0, squares = 0;
};
Step best_step(std::span<const double> values);

/// How many values at the beginning (at most half) do not belong to the line that the others follow: the number for
/// which the variance around the line by the square of the number of values is least (after the rule MSER of White,
/// Simulation 69 (1997), which takes a mean instead of a line and so is content with the number itself: a line is found
/// in every short piece).
std::size_t warm_up_length(std::span<const double> values);

}  // namespace vmscan::statistics
