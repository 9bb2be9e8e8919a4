#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "formats/native/snapshot_json.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::formats;
using namespace vmscan::tests;

namespace {

std::string labelled(std::string label) {
  Snapshot snapshot = rich_snapshot();
  snapshot.label = std::move(label);
  return write_snapshot(snapshot);
}

}  // namespace

TEST_CASE("a series gives its snapshots in order") {
  const auto series = Series::open(labelled("one") + "\n\r\n" + labelled("two") + labelled("three"));
  REQUIRE(series);
  REQUIRE(series->size() == 3);
  CHECK(series->notes().empty());
  CHECK(series->at(0)->label == "one");
  CHECK(series->at(2)->label == "three");
  CHECK(series->at(3).error().code == ErrorCode::NotFound);
}

TEST_CASE("a series cut anywhere keeps every whole line, and says what it left out") {
  const std::string first = labelled("one"), second = labelled("two");
  for (std::size_t length = 0; length < second.size() - 1; ++length) {
    const auto series = Series::open(first + second.substr(0, length));
    CAPTURE(length);
    REQUIRE(series);
    REQUIRE(series->size() == 1);
    REQUIRE(series->notes().size() == (length == 0 ? 0 : 1));
    const auto snapshot = series->at(0);
    REQUIRE(snapshot);
    REQUIRE(snapshot->label == "one");
    REQUIRE(snapshot->notes.size() == rich_snapshot().notes.size() + series->notes().size());
  }
  CHECK(Series::open(first + second.substr(0, second.size() - 1))->size() == 2);
}

TEST_CASE("a torn line in the middle is left out with a note") {
  const std::string one = labelled("one");
  const auto series = Series::open(one + one.substr(0, 100) + "\n" + labelled("three"));
  REQUIRE(series);
  REQUIRE(series->size() == 2);
  CHECK(series->at(1)->label == "three");
  REQUIRE(series->notes().size() == 1);
  CHECK_THAT(series->notes()[0].message, Catch::Contains("line 2"));
}

TEST_CASE("a snapshot that a formatter spread over many lines is one snapshot") {
  const std::string pretty = nlohmann::json::parse(labelled("pretty")).dump(2);  // also sorts the keys
  const auto series = Series::open("\xEF\xBB\xBF" + pretty + "\r\n");
  REQUIRE(series);
  REQUIRE(series->size() == 1);
  CHECK(series->at(0)->label == "pretty");
}

TEST_CASE("what is no series is refused") {
  CHECK(Series::open("").error().code == ErrorCode::Truncated);
  CHECK(Series::open(" \n\n").error().code == ErrorCode::Truncated);
  CHECK(Series::open("{\"schema\":\"vmscan.snap").error().code == ErrorCode::Truncated);
  CHECK(Series::open("hello\n").error().code == ErrorCode::Malformed);
  CHECK(Series::open("[{}]").error().code == ErrorCode::Malformed);
}

TEST_CASE("a broken snapshot in a series says which") {
  const auto series = Series::open(labelled("one") + "{\"schema\":7}\n");
  REQUIRE(series);
  CHECK_THAT(series->at(1).error().message, Catch::StartsWith("snapshot 1: schema"));
}
