#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "formats/views/trend_view.h"
#include "tests/support/noise.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::formats;
using Json = nlohmann::json;

namespace {

constexpr double mib = 1 << 20;

/// 1 MiB a minute for two minutes, without noise but that of whole pages.
Trend leaking() {
  std::vector<double> bytes;
  for (int i = 0; i < 25; ++i) bytes.push_back(10 * mib + i * mib / 12);
  return tests::trend_of_heap(bytes, 5000);
}

std::vector<Verdict> verdicts_of(const Trend& trend) {
  return {trend.judge(parse_condition("heap.private_ws slope > 10MiB/h").value())};
}

TrendViewOptions only_private_ws() { return {.measures = choose_measures("private_ws").value()}; }

}  // namespace

TEST_CASE("a sparkline goes from the least to the largest and has no more blocks than room") {
  CHECK(sparkline({}, 8).empty());
  CHECK(sparkline({1, 2, 3, 4, 5, 6, 7, 8}, 8) == "▁▂▃▄▅▆▇█");
  CHECK(sparkline({5, 5, 5}, 8) == "▁▁▁");
  CHECK(sparkline({1, 1, 9, 9}, 2) == "▁█");
}

TEST_CASE("columns of a trend are chosen by the names that conditions use") {
  CHECK(choose_measures("count,private_ws").value().size() == 2);
  CHECK(choose_measures("").value().empty());
  CHECK(choose_measures("privat_ws").error().message == "unknown column 'privat_ws'; did you mean 'private_ws'?");
}

TEST_CASE("the table of a trend has a row for each figure that changed, and less of it on a narrow terminal") {
  const Trend trend = leaking();
  const auto rows = trend_rows(trend, only_private_ws());
  REQUIRE(rows.size() == 1);
  CHECK(trend_table(trend, rows, {}) ==
        "Type  Column       First    Last  Course   Slope        95 % interval             Drift  Warm-up  Values\n"
        "Heap  private_ws  10,240  12,288  growing  +60.0 MiB/h  59.6 MiB/h to 60.4 MiB/h  +1.7σ           "
        "▁▁▂▂▂▂▃▃▃▄▄▄▅▅▅▅▆▆▆▇▇▇▇██\n");
  CHECK(trend_table(trend, rows, {.width = 80}) ==
        "Type  Column        Last  Course   Slope        Values\n"
        "Heap  private_ws  12,288  growing  +60.0 MiB/h  ▁▁▂▂▂▂▃▃▃▄▄▄▅▅▅▅▆▆▆▇▇▇▇██\n");
  CHECK(trend_table(trend, rows, {.width = 64}).ends_with("+60.0 MiB/h  ▁▁▂▂▃▃▄▄▅▅▆▆▇▇▇█\n"));  // 48 and 16
  CHECK(
      describe(trend) ==
      "25 samples over 2 min, one every 5 s; what does not fit in with the rest at the beginning is taken for warm-up");
}

TEST_CASE("a trend in JSON has every figure and the gate") {
  const Trend trend = leaking();
  const Json json = Json::parse(trend_json(trend, tests::rich_snapshot(), "day.jsonl", verdicts_of(trend), {}));
  CHECK(json["schema"] == "vmscan.trend/1");
  CHECK(json["series"]["samples"] == 25);
  CHECK(json["series"]["interval_ms"] == 5000);
  CHECK(json["gate"]["tripped"] == true);
  CHECK(json["rows"].size() == 10 * all_measures().size());  // without Free, with the total
  for (const Json& row : json["rows"]) {
    if (row["type"] != "heap" || row["column"] != "private_ws") {
      CHECK(row["slope"] == nullptr);
      continue;
    }
    CHECK(row["course"] == "growing");
    CHECK(row["first"] == 10 << 20);
    CHECK(row["slope"]["per_hour"].get<double>() == Approx(60 * mib).epsilon(0.01));
  }
}

TEST_CASE("a trend in CSV and Markdown") {
  const Trend trend = leaking();
  const auto rows = trend_rows(trend, only_private_ws());
  const std::string csv = trend_csv(rows);
  CHECK(
      csv.starts_with("type,column,course,warm_up,first,last,least,largest,per_hour,low,high,p,drift,drift_noise,"
                      "reason\nheap,private_ws,growing,0,10485760,12582912,10485760,12582912,6"));
  CHECK(trend_csv({}, false).empty());
  const std::string markdown = trend_markdown(trend, "a|b", rows, verdicts_of(trend));
  CHECK(markdown.starts_with("### Trend of `a\\|b`\n"));
  CHECK(markdown.find("| Heap | `private_ws` | 10,240 K | 12,288 K | 📈 growing | +60.0 MiB/h |") != std::string::npos);
}

TEST_CASE("a series that cannot be judged has no rows and says why") {
  const Trend trend({}, {});
  CHECK(trend_rows(trend, {}).empty());
  CHECK(describe(trend) == "0 samples; no trend: the series is empty");
}
