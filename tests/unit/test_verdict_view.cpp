#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "formats/views/quantity.h"
#include "formats/views/verdict_view.h"

using namespace vmscan;
using namespace vmscan::formats;
using Json = nlohmann::json;

namespace {

Verdict verdict_of(std::string_view condition, Bytes base, Bytes now) {
  const Condition parsed = parse_condition(condition).value();
  Summary before, after;
  for (auto* summary : {&before, &after}) {
    const Bytes value = summary == &before ? base : now;
    TypeTotal& heap = summary->rows[static_cast<std::size_t>(RegionType::Heap)];
    heap.size = heap.usage.private_ws = heap.regions = value;
  }
  return judge(parsed, before, after);
}

Verdict slope_verdict() {
  Verdict verdict = verdict_of("heap.private_ws slope > 1MiB/h", 0x100000, 0x300000);
  verdict.slope = Slope{2.5 * 1048576, 2.25 * 1048576, 3.0 * 1048576, 0.00001, true};
  verdict.outcome = Verdict::Outcome::Tripped;
  verdict.reason.clear();
  return verdict;
}

std::vector<Verdict> sample() {
  return {verdict_of("heap.private_ws > +1MiB", 10 << 20, 12 << 20), verdict_of("heap.count > 20", 3, 7),
          verdict_of("heap.size > +10%", Bytes{}, 7), slope_verdict()};
}

}  // namespace

TEST_CASE("quantities carry their unit") {
  CHECK(format_quantity(1234567, true, Units::K) == "1,206 K");
  CHECK(format_quantity(1234567, false, Units::K) == "1,234,567");
  CHECK(format_quantity(Bytes{}, true, Units::K) == "?");
  CHECK(format_quantity(0, true, Units::K) == "0");
  CHECK(format_delta(4096, true, Units::K) == "+4 K");
  CHECK(format_delta(-3, false, Units::K) == "-3");
  CHECK(format_delta(0, true, Units::Auto) == "0");
  CHECK(format_delta({}, true, Units::K) == "?");
  CHECK(format_rate(1.25 * 1048576, true) == "1.25 MiB/h");
  CHECK(format_rate(-3.0 * 1024, true) == "-3.00 KiB/h");
  CHECK(format_rate(1023.0 * 1024, true) == "1.00 MiB/h");
  CHECK(format_rate(0, false) == "0/h");
  CHECK(format_rate(123456, false) == "123456/h");
}

TEST_CASE("a gate on a terminal shows every condition with its figures, and why") {
  CHECK(verdict_lines({}, {}).empty());
  CHECK(verdict_lines(sample(), {}) ==
        "Gate tripped: 2 of 4 conditions, 1 cannot be judged\n"
        "                                               Base       New     Delta     Limit\n"
        "✗ tripped  heap.private_ws > +1MiB         10,240 K  12,288 K  +2,048 K  11,264 K\n"
        "✓ passed   heap.count > 20                        3         7        +4        20\n"
        "? unknown  heap.size > +10%                       ?       1 K         ?         ?\n"
        "           heap.size is not known in the base\n"
        "✗ tripped  heap.private_ws slope > 1MiB/h   1,024 K   3,072 K  +2,048 K    1MiB/h\n"
        "           2.50 MiB/h (95 %: 2.25 MiB/h to 3.00 MiB/h), p < 0.0001\n");
}

TEST_CASE("where a line of the gate has no room, its figures stand below") {
  const std::string text = verdict_lines(sample(), {.width = 60});
  CHECK(text.find("✗ tripped  heap.private_ws > +1MiB\n"
                  "           base 10,240 K, new 12,288 K, delta +2,048 K,\n"
                  "           limit 11,264 K\n") != std::string::npos);
}

TEST_CASE("the gate in JSON") {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_gate(json, sample());
  json.end_object();
  const Json gate = Json::parse(out)["gate"];
  CHECK(gate["tripped"] == true);
  CHECK(gate["conditions"][0] == Json::parse(R"({"condition": "heap.private_ws > +1MiB", "base": 10485760,
    "new": 12582912, "delta": 2097152, "limit": 11534336, "verdict": "tripped", "reason": null, "slope": null})"));
  CHECK(gate["conditions"][2]["base"] == nullptr);
  CHECK(gate["conditions"][2]["verdict"] == "unknown");
  CHECK(gate["conditions"][2]["reason"] == "heap.size is not known in the base");
  CHECK(
      gate["conditions"][3]["slope"] ==
      Json::parse(R"({"per_hour": 2621440.0, "low": 2359296.0, "high": 3145728.0, "p": 1e-05, "significant": true})"));
}

TEST_CASE("a gate that cannot be judged has not 'not tripped'") {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  write_gate(json, std::vector{sample()[1], sample()[2]});
  json.end_object();
  CHECK(Json::parse(out)["gate"]["tripped"] == nullptr);
}

TEST_CASE("the gate in CSV") {
  const std::string csv = verdict_csv(std::vector{verdict_of("heap.size > +max(1,5%)", 100, 105), slope_verdict()});
  CHECK(csv ==
        "condition,base,new,delta,limit,verdict,per_hour,low,high,p,reason\n"
        "\"heap.size > +max(1,5%)\",100,105,5,105,passed,,,,,\n"
        "heap.private_ws slope > 1MiB/h,1048576,3145728,2097152,,tripped,2621440,2359296,3145728,1e-05,\n");
}

TEST_CASE("the gate in Markdown") {
  CHECK(verdict_markdown({}, Units::K).empty());
  CHECK(verdict_markdown(std::vector{sample()[1], sample()[2]}, Units::K) ==
        "**Gate unknown: 1 of 2 conditions cannot be judged**\n\n"
        "| | Condition | Base | New | Delta | Limit |\n"
        "|---|:---|---:|---:|---:|---:|\n"
        "| ✓ passed | `heap.count > 20` | 3 | 7 | +4 | 20 |\n"
        "| ? unknown | `heap.size > +10%`<br>heap.size is not known in the base | ? | 1 K | ? | ? |\n");
}

TEST_CASE("JUnit has a failure for what tripped and an error for what is unknown, whatever the suite is called") {
  const std::string xml = verdict_junit("a<b>&\"\x01\xff\xEF\xBF\xBF", sample());
  CHECK(
      xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                      "<testsuites tests=\"4\" failures=\"2\" errors=\"1\">\n"
                      "  <testsuite name=\"a&lt;b&gt;&amp;&quot;\\x01\\xff\xEF\xBF\xBD\" tests=\"4\""));
  CHECK(
      xml.find(
          "    <testcase classname=\"vmscan.gate\" name=\"heap.private_ws &gt; +1MiB\">\n"
          "      <failure type=\"tripped\" message=\"base 10,240 K, new 12,288 K, delta +2,048 K, limit 11,264 K\"/>\n"
          "    </testcase>\n") != std::string::npos);
  CHECK(xml.find("<error type=\"unknown\" message=\"base ?, new 1 K, delta ?, limit ?: heap.size is not known in the "
                 "base\"/>") != std::string::npos);
}
