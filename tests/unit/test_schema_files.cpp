#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/native/snapshot_json.h"
#include "formats/views/diff_view.h"
#include "formats/views/duplicates_view.h"
#include "formats/views/trend_view.h"
#include "formats/views/views.h"
#include "formats/views/waterfall_view.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::formats;
using Json = nlohmann::json;

namespace {

Json schema_of(const std::string& document) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  std::ifstream file(root / "formats" / "schema" / (document + ".schema.json"));
  REQUIRE(file);
  return Json::parse(file);
}

/// Every key of the document's top level stands in the schema, and the other way round.
void check_keys(const Json& schema, const Json& document) {
  for (const auto& [key, value] : document.items()) CHECK(schema["properties"].contains(key));
  for (const Json& key : schema["required"]) CHECK(document.contains(key.get<std::string>()));
  CHECK(schema["properties"]["schema"]["const"] == document["schema"]);
}

}  // namespace

TEST_CASE("the schemas name the keys that the documents have") {
  const Snapshot snapshot = tests::rich_snapshot();
  check_keys(schema_of("snapshot"), Json::parse(write_snapshot(snapshot)));
  check_keys(schema_of("summary"), Json::parse(summary_json(snapshot, {})));
  check_keys(schema_of("details"), Json::parse(details_json(snapshot, {})));
  check_keys(schema_of("diff"), Json::parse(diff_json(compare(snapshot, snapshot, {}), {}, {}, {})));
  check_keys(schema_of("trend"), Json::parse(trend_json(Trend({}, {}), snapshot, {}, {}, {})));
  check_keys(schema_of("waterfall"), Json::parse(waterfall_json(snapshot, explain(snapshot, nullptr))));
  const StringsStyle json{.format = StringsFormat::Json, .width = 0};
  const std::string tail = strings_tail({}, StringsFormat::Json);
  check_keys(schema_of("strings"), Json::parse(StringsView(snapshot, json).head() + tail));
  check_keys(schema_of("duplicates"), Json::parse(DuplicatesView(snapshot, json, false).head() + tail));
}

TEST_CASE("the schemas of strings name the keys that a string has") {
  const Snapshot snapshot = tests::rich_snapshot();
  StringsStyle style;
  style.format = StringsFormat::JsonLines;
  const auto check = [](const Json& schema, const std::string& line, std::size_t optional = 0) {
    const Json string = Json::parse(line), definition = schema["$defs"]["string"];
    for (const auto& [key, value] : string.items()) CHECK(definition["properties"].contains(key));
    CHECK(definition["required"].size() + optional == string.size());
  };
  std::string line;
  const Address address = snapshot.regions.front().blocks.front().range.begin;
  StringsView(snapshot, style).append(address, {0, 4, 4, StringEncoding::Ascii}, "text", false, line);
  check(schema_of("strings"), line);
  line.clear();
  StringRecord record;
  record.address = address;
  record.types = 8;
  for (const bool compared : {false, true}) {
    line.clear();
    DuplicatesView(snapshot, style, compared).append(record, "text", line);
    check(schema_of("duplicates"), line, compared ? 2 : 0);
  }
}

TEST_CASE("what the three schemas have in common is the same in each") {
  const Json snapshot = schema_of("snapshot")["$defs"];
  const Json summary = schema_of("summary")["$defs"];
  const Json details = schema_of("details")["$defs"];
  for (const char* shared :
       {"bytes", "address", "time", "consistency", "target", "kernel", "limits", "notes", "heap_shortfalls", "usage"}) {
    CAPTURE(shared);
    CHECK(snapshot.at(shared) == summary.at(shared));
    CHECK(snapshot.at(shared) == details.at(shared));
  }
}

TEST_CASE("the schemas know every column, counter and type of the model") {
  const Json definitions = schema_of("summary")["$defs"];
  for (const UsageColumn& column : usage_columns) {
    CHECK(definitions["usage"]["properties"].contains(std::string(column.name)));
  }
  for (const KernelCounterName& counter : kernel_counter_names) {
    const Json required = definitions["kernel"]["required"];
    CHECK(std::find(required.begin(), required.end(), counter.name) != required.end());
  }
  Json types = Json::array();
  for (const RegionTypeName& entry : region_types) types.push_back(entry.name);
  CHECK(definitions["row"]["properties"]["type"]["enum"] == types);
}
