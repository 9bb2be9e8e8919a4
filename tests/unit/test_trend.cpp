#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "tests/support/noise.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

constexpr double mib = 1 << 20;
const Figure heap = parse_figure("heap", "private_ws").value();

std::vector<double> noise_of(const std::string& name) {
  const auto tests = std::filesystem::path(__FILE__).parent_path().parent_path();
  std::vector<double> noise = read_noise(tests / "data" / "noise" / (name + ".txt"));
  REQUIRE(noise.size() > 1400);
  return noise;
}

/// Every `interval_s`-th value.
std::vector<double> sampled(const std::vector<double>& seconds, std::size_t interval_s) {
  std::vector<double> values;
  for (std::size_t i = 0; i < seconds.size(); i += interval_s) values.push_back(seconds[i]);
  return values;
}

Verdict judged(const Trend& trend, std::string_view condition = "heap.private_ws slope > 1MiB/h") {
  return trend.judge(parse_condition(condition).value());
}

/// A wander of one MiB around 20, and a course of its own, one value a second.
template <class Course>
std::vector<double> wandering(std::size_t count, std::uint64_t seed, Course course) {
  Random random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values;
  double wander = 0;
  for (std::size_t i = 0; i < count; ++i) {
    wander = 0.9 * wander + 0.44 * normal(random);
    values.push_back((20 + wander + course(static_cast<double>(i))) * mib);
  }
  return values;
}

std::vector<TrendSample> clean_samples(std::size_t count) {
  return trend_of_heap(std::vector<double>(count, 5 * mib), 5000).samples();
}

std::string problem_of(std::vector<TrendSample> samples, WarmUp warm_up = {}) {
  const Trend trend(std::move(samples), warm_up);
  const Verdict verdict = judged(trend);
  CHECK(verdict.outcome == (trend.problem().empty() ? Verdict::Outcome::Passed : Verdict::Outcome::Unknown));
  CHECK(judged(trend, "heap.private_ws > 1TiB").outcome == verdict.outcome);
  return trend.problem();
}

}  // namespace

TEST_CASE("a leak of 4 KiB/s under a real working set that wanders by 5 MiB is called, and nothing without it") {
  const std::vector<double> noise = noise_of("wander");
  Random random(11);
  int alarms = 0, called = 0;
  for (int run = 0; run < 200; ++run) {
    std::vector<double> bytes = resample(noise, 3000, random);
    alarms += judged(trend_of_heap(sampled(bytes, 5), 5000)).outcome == Verdict::Outcome::Tripped ? 1 : 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += 4096 * static_cast<double>(i);
    called += judged(trend_of_heap(sampled(bytes, 5), 5000)).outcome == Verdict::Outcome::Tripped ? 1 : 0;
  }
  CHECK(alarms <= 2);
  CHECK(called >= 180);
}

TEST_CASE("real garbage-collected processes without a leak are not called") {
  Random random(12);
  for (const char* name : {"python", "node", "java"}) {
    const std::vector<double> noise = noise_of(name);
    int alarms = 0;
    for (int run = 0; run < 100; ++run)
      alarms +=
          judged(trend_of_heap(sampled(resample(noise, 1500, random), 5), 5000)).outcome == Verdict::Outcome::Tripped
              ? 1
              : 0;
    CAPTURE(name);
    CHECK(alarms <= 2);
  }
}

TEST_CASE("a cache that fills and then stays is no leak, wherever in the series it fills") {
  for (const double at : {0.0, 100.0, 250.0, 400.0, 500.0}) {
    int alarms = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto fill = [at](double i) { return 40 * (1 - std::exp(-std::max(i - at, 0.0) / 20)); };
      alarms += judged(trend_of_heap(wandering(600, seed, fill), 1000)).outcome == Verdict::Outcome::Tripped ? 1 : 0;
    }
    CAPTURE(at);
    CHECK(alarms == 0);
  }
}

TEST_CASE("a step is told as such") {
  const auto step = [](double i) { return i < 300 ? 0 : 20.0; };
  const FigureTrend trend = trend_of_heap(wandering(600, 1, step), 1000, {.samples = 0, .duration_ms = {}}).of(heap);
  CHECK(trend.course == Course::Stepped);
  CHECK(trend.reason.starts_with("one step up, "));
}

TEST_CASE("a sawtooth is no leak, and a leak below one is") {
  for (const double period : {7.0, 45.0, 130.0}) {
    CAPTURE(period);
    const auto teeth = [period](double i) { return 30 * std::fmod(i, period) / period; };
    const auto leaking = [&](double i) { return teeth(i) + i / 60; };
    int alarms = 0, called = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      alarms += judged(trend_of_heap(wandering(1800, seed, teeth), 1000)).outcome == Verdict::Outcome::Tripped ? 1 : 0;
      called +=
          judged(trend_of_heap(wandering(1800, seed, leaking), 1000)).outcome == Verdict::Outcome::Tripped ? 1 : 0;
    }
    CHECK(alarms == 0);
    CHECK(called >= 18);
  }
}

TEST_CASE("leaks that grow in bursts or in stairs are called") {
  Random random(5);
  std::vector<double> bursts, stairs;
  double leaked = 0;
  for (int i = 0; i < 1800; ++i) {
    if (random() % 10 == 0) leaked += 64 * 1024.0 * static_cast<double>(random() % 8);
    bursts.push_back(20 * mib + leaked);
    stairs.push_back(20 * mib + std::floor(i / 50.0) * mib);
  }
  CHECK(judged(trend_of_heap(bursts, 1000)).outcome == Verdict::Outcome::Tripped);
  CHECK(judged(trend_of_heap(stairs, 1000)).outcome == Verdict::Outcome::Tripped);
}

TEST_CASE("a warm-up that grows is left out of the slope, or as much as the user says") {
  const auto warm = [](double i) { return i < 60 ? i : 60.0; };
  const std::vector<double> bytes = wandering(600, 3, warm);
  const FigureTrend found = trend_of_heap(bytes, 1000).of(heap);
  CHECK(found.warm_up >= 45);
  CHECK(found.warm_up <= 90);
  CHECK(found.course == Course::Steady);
  CHECK(trend_of_heap(bytes, 1000, {.samples = 60, .duration_ms = {}}).of(heap).warm_up == 60);
  CHECK(trend_of_heap(bytes, 1000, {.samples = {}, .duration_ms = 60'000}).of(heap).warm_up == 60);
}

TEST_CASE("a slope condition asks for the whole interval to be beyond the limit") {
  const Trend trend = trend_of_heap(wandering(600, 7, [](double i) { return i / 60; }), 1000);  // 60 MiB/h
  CHECK(judged(trend, "heap.private_ws slope > 40MiB/h").outcome == Verdict::Outcome::Tripped);
  const Verdict verdict = judged(trend, "heap.private_ws slope > 1 MiB/min");
  CHECK(verdict.outcome == Verdict::Outcome::Passed);
  REQUIRE(verdict.slope);
  CHECK(verdict.slope->significant);
  CHECK(verdict.slope->low < 60 * mib);
  CHECK(verdict.slope->high > 60 * mib);
}

TEST_CASE("other conditions compare the last sample with the first behind the warm-up") {
  std::vector<double> bytes(30, 10 * mib);
  bytes.front() = 2 * mib;
  bytes.back() = 12 * mib;
  const Trend trend = trend_of_heap(bytes, 5000, {.samples = 1, .duration_ms = {}});
  CHECK(judged(trend, "heap.private_ws > +1MiB").base == Bytes{10 << 20});
  CHECK(judged(trend, "heap.private_ws > +1MiB").outcome == Verdict::Outcome::Tripped);
  CHECK(judged(trend, "heap.private_ws > +3MiB").outcome == Verdict::Outcome::Passed);
}

TEST_CASE("a series that cannot be judged says why, and no condition passes") {
  CHECK(problem_of(clean_samples(40)).empty());
  CHECK(problem_of({}) == "the series is empty");
  auto samples = clean_samples(40);
  samples[7].captured_at_unix_ms.reset();
  CHECK(problem_of(samples) == "the time of snapshot 8 is unknown");
  samples = clean_samples(40);
  samples[7].captured_at_unix_ms = *samples[6].captured_at_unix_ms;
  CHECK(problem_of(samples) == "snapshot 8 is not later than the one before it");
  samples = clean_samples(40);
  for (std::size_t i = 20; i < 40; ++i) samples[i].pid = 2;
  CHECK(problem_of(samples) == "snapshots 20 and 21 are of two processes (pid or start time differ)");
  samples = clean_samples(40);
  for (std::size_t i = 20; i < 40; ++i) samples[i].started_at_unix_ms = 60'000;
  CHECK(problem_of(samples) == "snapshots 20 and 21 are of two processes (pid or start time differ)");
  samples = clean_samples(40);
  for (std::size_t i = 20; i < 40; ++i) *samples[i].captured_at_unix_ms += 60'000;
  CHECK(problem_of(samples) == "a gap of 65 s before snapshot 21 (the usual interval is 5 s)");
  CHECK(problem_of(clean_samples(40), {.samples = 40, .duration_ms = {}}) ==
        "no snapshot of 40 is left behind the warm-up");
}

TEST_CASE("a start time that the clock moved a little is the same process, and a gap in the warm-up does not matter") {
  auto samples = clean_samples(60);
  for (std::size_t i = 5; i < 60; ++i) {
    samples[i].started_at_unix_ms = 1000;
    *samples[i].captured_at_unix_ms += 60'000;
  }
  CHECK(problem_of(samples, {.samples = 10, .duration_ms = {}}).empty());
}

TEST_CASE("too few samples, too short a time and unknown values have no slope") {
  const auto reason = [](const Trend& trend) {
    const Verdict verdict = judged(trend);
    CHECK(verdict.outcome == Verdict::Outcome::Unknown);
    return verdict.reason;
  };
  CHECK(reason(Trend(clean_samples(19), {})) == "19 samples behind the warm-up; a slope needs 20");
  CHECK(reason(trend_of_heap(std::vector<double>(30, mib), 1000)) == "29 s behind the warm-up; a slope needs 60 s");
  auto samples = clean_samples(40);
  samples[3].summary = Summary{};
  CHECK(reason(Trend(samples, {})) == "heap.private_ws is not known in snapshot 4");
  samples = clean_samples(40);
  samples[30].summary.heap_shortfalls = {{.allocator = "glibc", .blocks = 3, .bytes = 4096}};
  CHECK(reason(Trend(samples, {})) ==
        "heap.private_ws is too low in snapshot 31: glibc's malloc counts 3 blocks of 4 K more than could be found");
  for (TrendSample& sample : samples) sample.summary.total = sample.summary.rows[static_cast<std::size_t>(*heap.type)];
  CHECK(judged(Trend(samples, {}), "total.private_ws slope > 1MiB/h").outcome == Verdict::Outcome::Passed);
  CHECK(judged(Trend(samples, {}), "heap.private_ws > +1MiB").outcome == Verdict::Outcome::Passed);
}
