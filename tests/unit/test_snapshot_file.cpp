#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "formats/native/snapshot_json.h"
#include "libvmscan/model/laws.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::formats;
using namespace vmscan::tests;
using Json = nlohmann::json;

namespace {

const std::string head = R"({"schema":"vmscan.snapshot/1",)";

std::string with_regions(std::string_view regions) { return head + "\"regions\":[" + std::string(regions) + "]}"; }

bool has_note(const Snapshot& snapshot, std::string_view code) {
  for (const Note& note : snapshot.notes) {
    if (note.code == code) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a rich snapshot comes back as it was") {
  const Snapshot before = rich_snapshot();
  const std::string text = write_snapshot(before);
  const auto after = read_snapshot(text);
  REQUIRE(after);
  CHECK(broken_laws(*after).empty());
  CHECK(write_snapshot(*after) == text);
  CHECK(after->target.namespace_pids == before.target.namespace_pids);
  CHECK(after->target.arguments == before.target.arguments);
  CHECK(after->target.started_at_unix_ms == before.target.started_at_unix_ms);
  CHECK(after->captured_at_unix_ms == before.captured_at_unix_ms);
  CHECK(after->consistency == Consistency::Stable);
  CHECK(after->label == before.label);
  CHECK(after->address_space == before.address_space);
  CHECK(after->page_table == before.page_table);
  REQUIRE(after->regions.size() == 5);
  CHECK(after->regions[1].build_id == before.regions[1].build_id);
  CHECK(after->regions[1].details == before.regions[1].details);
  CHECK(after->regions[1].usage == before.regions[1].usage);
  CHECK(after->regions[1].blocks[1].protection == before.regions[1].blocks[1].protection);
  CHECK(after->regions[4].blocks[0].state == State::Reserved);
  CHECK(after->kernel.rss == before.kernel.rss);
  CHECK_FALSE(after->kernel.swap.known());
  CHECK(after->limits[1].unlimited);
  CHECK(after->threads[0].stack_pointer == before.threads[0].stack_pointer);
  CHECK_FALSE(after->threads[1].stack_pointer);
  CHECK(after->heap_shortfalls == before.heap_shortfalls);
  CHECK(after->notes.size() == 1);
}

TEST_CASE("a snapshot is one line of JSON with the schema first") {
  const std::string text = write_snapshot(rich_snapshot());
  CHECK(text.find('\n') == text.size() - 1);
  CHECK(text.starts_with(head));
  CHECK(looks_like_snapshot(text));
  const Json document = Json::parse(text);
  CHECK(document["regions"][1]["address"] == "0x400000");
  CHECK_FALSE(document["regions"][1].contains("pss"));
  CHECK_FALSE(document["regions"][2].contains("evidence"));
  CHECK(document["captured_at"] == "2026-11-21T08:00:12.345Z");
}

TEST_CASE("an empty snapshot and one whose map is not known come back") {
  for (const bool known : {true, false}) {
    Snapshot snapshot;
    snapshot.regions_known = known;
    const std::string text = write_snapshot(snapshot);
    const auto after = read_snapshot(text);
    REQUIRE(after);
    CHECK(after->regions_known == known);
    CHECK(write_snapshot(*after) == text);
    CHECK(Json::parse(text)["label"].is_null());
  }
}

TEST_CASE("hostile strings come back, bytes that are not UTF-8 as U+FFFD") {
  Snapshot snapshot = rich_snapshot();
  snapshot.target.name = "\x1b]0;title\x07 \"\\ \xE2\x80\xAE";
  snapshot.regions[1].details = std::string("a\0b\xFF\n", 5);
  snapshot.limits[0].name = "a\"b";
  const auto after = read_snapshot(write_snapshot(snapshot));
  REQUIRE(after);
  CHECK(after->target.name == snapshot.target.name);
  CHECK(after->regions[1].details == std::string("a\0b\xEF\xBF\xBD\n", 7));
  CHECK(after->limits[0].name == "a\"b");
}

TEST_CASE("sixty thousand regions come back") {
  const std::string text = write_snapshot(long_snapshot(60'000));
  const auto after = read_snapshot(text);
  REQUIRE(after);
  CHECK(after->regions.size() == 60'000);
  CHECK(after->notes.empty());
  CHECK(write_snapshot(*after) == text);
}

TEST_CASE("a snapshot cut anywhere is an error, never a smaller snapshot") {
  const std::string text = write_snapshot(rich_snapshot());
  const std::size_t whole = text.size() - 1;  // without the LF
  for (std::size_t length = 0; length < whole; ++length) {
    const auto snapshot = read_snapshot(std::string_view(text).substr(0, length));
    CAPTURE(length);
    REQUIRE_FALSE(snapshot);
    REQUIRE(snapshot.error().code == ErrorCode::Truncated);
    REQUIRE_FALSE(Series::open(text.substr(0, length)));
  }
  CHECK(read_snapshot(std::string_view(text).substr(0, whole)));
}

TEST_CASE("malformed documents are refused with the place") {
  struct Case {
    std::string text;
    const char* said;
  };
  const std::string region = R"({"address":"0x1000","size":4096})";
  const std::vector<Case> cases{
      {"[]", "not a JSON object"},
      {"1", "not a JSON object"},
      {"null", "not a JSON object"},
      {"{}", "no schema"},
      {"{\"regions\":[]}", "no schema"},
      {"{\"schema\":1}", "schema: not a string"},
      {"{\"schema\":\"other/1\"}", "schema: this is 'other/1'"},
      {"\x7f"
       "ELF",
       "not JSON at byte 1"},
      {head + "\"label\":\"\xFF\"}", "not JSON at byte"},
      {head + "\"label\":\"a\nb\"}", "not JSON at byte"},
      {head + "\"label\":NaN}", "not JSON at byte"},
      {head + "\"label\":null}{}", "not JSON at byte"},
      {head + "\"label\":null,}", "not JSON at byte"},
      {head + "\"page_table\":1e999}", "not JSON at byte"},
      {head + "\"label\":null}" + std::string("\0{", 2), "a NUL"},
      {head + "\"label\":7}", "label: not a string"},
      {head + "\"captured_at\":\"yesterday\"}", "captured_at: 'yesterday' is not a time"},
      {head + "\"target\":[]}", "target: not an object"},
      {head + "\"target\":\"x\"}", "target: not an object"},
      {head + "\"target\":{\"pid\":4294967296}}", "target.pid: 4294967296 is above 2^32 - 1"},
      {head + "\"target\":{\"pid\":-1}}", "target.pid: '-1' is not a whole number"},
      {head + "\"target\":{\"page_size\":0}}", "target.page_size: 0 is not a power of two"},
      {head + "\"target\":{\"page_size\":4097}}", "target.page_size: 4097"},
      {head + "\"target\":{\"arguments\":[\"a\",1]}}", "target.arguments[1]: not a string"},
      {head + "\"target\":{\"namespace_pids\":[[1]]}}", "target.namespace_pids[0]: a list"},
      {head + "\"target\":{\"name\":{}}}", "target.name: not a single value"},
      {head + "\"page_table\":4096.0}", "page_table: '4096.0' is not a whole number"},
      {head + "\"page_table\":18446744073709551616}",
       "page_table: '18446744073709551616' is not a whole number below 2^64"},
      {head + "\"page_table\":18446744073709551616}", "page_table: '18446744073709551616' is not"},
      {head + "\"page_table\":\"1\"}", "page_table: not a number"},
      {head + "\"kernel\":{\"rss\":-1}}", "kernel.rss: '-1'"},
      {head + "\"limits\":{\"stack\":1}}", "limits.'stack': not an object"},
      {head + "\"limits\":{\"stack\":{\"unlimited\":1}}}", "limits.'stack'.unlimited: not true or false"},
      {head + "\"address_space\":{\"begin\":\"0x2\",\"end\":\"0x1\"}}", "address_space.end: ends before"},
      {head + "\"threads\":[{\"stack_pointer\":\"0x\"}]}", "threads[0].stack_pointer: '0x' is not an address"},
      {head + "\"threads\":[1]}", "threads[0]: not an object"},
      {head + "\"regions\":{}}", "regions: not an array"},
      {head + "\"regions\":5}", "regions: not an array"},
      {with_regions("null"), "regions[0]: null in a list"},
      {with_regions("{}"), "regions[0].address: missing"},
      {with_regions(R"({"address":"0x1000"})"), "regions[0].size: missing"},
      {with_regions(R"({"address":null,"size":1})"), "regions[0].address: missing"},
      {with_regions(R"({"address":"1000","size":1})"), "regions[0].address: '1000' is not an address"},
      {with_regions(R"({"address":"0x-1","size":1})"), "regions[0].address: '0x-1' is not an address"},
      {with_regions(R"({"address":"0x10000000000000000","size":1})"), "is not an address"},
      {with_regions(R"({"address":4096,"size":1})"), "regions[0].address: not a string"},
      {with_regions(R"({"address":"0x1000","size":0})"), "regions[0].size: 0 bytes"},
      {with_regions(R"({"address":"0xffffffffffffffff","size":4096})"), "regions[0].size: 0xffffffffffffffff and"},
      {with_regions(region + "," + region), "regions[1].address: 0x1000 lies before 0x2000"},
      {with_regions(R"({"address":"0x1000","size":4096,"type":"free"})"), "regions[0].type: 'free' is not"},
      {with_regions(R"({"address":"0x1000","size":4096,"type":1})"), "regions[0].type: not a string"},
      {with_regions(R"({"address":"0x1000","size":4096,"swap":1.5})"), "regions[0].swap: '1.5'"},
      {with_regions(R"({"address":"0x1000","size":4096,"blocks":[]})"), "regions[0].blocks: they cover"},
      {with_regions(R"({"address":"0x1000","size":4096,"blocks":[{"address":"0x1000","size":1}]})"),
       "regions[0].blocks: they cover the region only up to 0x1001"},
      {with_regions(R"({"address":"0x1000","size":4096,"blocks":[{"address":"0x1001","size":4095}]})"),
       "regions[0].blocks[0]: does not follow"},
      {with_regions(R"({"address":"0x1000","size":4096,"blocks":[{"address":"0x1000","size":4097}]})"),
       "regions[0].blocks[0]: does not follow"},
      {with_regions(R"({"address":"0x1000","size":4096,"blocks":[{"size":4096}]})"),
       "regions[0].blocks[0].address: missing"},
      {head + "\"future\":" + std::string(100, '[') + std::string(100, ']') + "}", "nested too deeply"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const auto snapshot = read_snapshot(c.text);
    REQUIRE_FALSE(snapshot);
    CHECK_THAT(snapshot.error().message, Catch::Contains(c.said));
    CHECK(snapshot.error().code == ErrorCode::Malformed);
    CHECK(snapshot.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("documents of another schema of ours are named") {
  for (const char* schema : {"vmscan.snapshot/2", "vmscan.summary/1"}) {
    const auto snapshot = read_snapshot("{\"schema\":\"" + std::string(schema) + "\"}");
    REQUIRE_FALSE(snapshot);
    CHECK(snapshot.error().code == ErrorCode::Unsupported);
    CHECK_THAT(snapshot.error().message, Catch::Contains(schema) && Catch::Contains("vmscan.snapshot/1"));
  }
}

TEST_CASE("unknown keys of any shape are skipped") {
  const auto snapshot = read_snapshot(
      head + R"("x":{"schema":"y","regions":[{"a":[[{}]]}]},"regions":[{"address":"0x1000","z":[1.5,-1,{"size":7}],)"
             R"("size":4096}],"y":[null,true]})");
  REQUIRE(snapshot);
  REQUIRE(snapshot->regions.size() == 1);
  CHECK(snapshot->regions[0].range == Range{0x1000, 0x2000});
  CHECK(snapshot->notes.empty());
}

TEST_CASE("any field may be null or missing") {
  const auto nearly_empty = read_snapshot(R"({"schema":"vmscan.snapshot/1"})");
  REQUIRE(nearly_empty);
  CHECK_FALSE(nearly_empty->regions_known);

  Json document = Json::parse(write_snapshot(rich_snapshot()));
  for (const auto& [key, value] : document.items()) {
    if (key == "schema") continue;
    Json changed = document;
    changed[key] = nullptr;
    CAPTURE(key);
    CHECK(read_snapshot(changed.dump()));
    changed.erase(key);
    CHECK(read_snapshot(changed.dump()));
  }
  for (const auto& [key, value] : document["regions"][2].items()) {
    if (key == "address" || key == "size") continue;
    Json changed = document;
    changed["regions"][2][key] = nullptr;
    CAPTURE(key);
    const auto snapshot = read_snapshot(changed.dump());
    REQUIRE(snapshot);
    CHECK(broken_structure(*snapshot).empty());
  }
}

TEST_CASE("a region without blocks is one block") {
  const auto snapshot = read_snapshot(with_regions(R"({"address":"0x1000","size":4096,"committed":4096,"swap":7})"));
  REQUIRE(snapshot);
  REQUIRE(snapshot->regions[0].blocks.size() == 1);
  CHECK(snapshot->regions[0].blocks[0].usage.swap == Bytes{7});
  CHECK(broken_laws(*snapshot).empty());
}

TEST_CASE("values that a later version may add become notes, once") {
  Json document = Json::parse(write_snapshot(rich_snapshot()));
  document["regions"][2]["type"] = "gpu_memory";
  document["regions"][3]["type"] = "gpu_memory";
  document["consistency"] = "quantum";
  document["regions"][2]["blocks"][0]["protection"] = "Telepathy";
  const auto snapshot = read_snapshot(document.dump());
  REQUIRE(snapshot);
  CHECK(snapshot->regions[2].type == RegionType::PrivateData);
  CHECK(snapshot->consistency == Consistency::Unknown);
  CHECK_FALSE(snapshot->regions[2].blocks[0].protection);
  REQUIRE(snapshot->notes.size() == 3);
  CHECK(snapshot->notes[1].code == "unknown_type");
  CHECK_THAT(snapshot->notes[1].message, Catch::Contains("regions[2].type 'gpu_memory'") && Catch::Contains("1 more"));
  CHECK(snapshot->notes[2].code == "unknown_value");
  const auto again = read_snapshot(write_snapshot(*snapshot));
  REQUIRE(again);
  CHECK(again->notes.size() == 3);
}

TEST_CASE("figures that disagree are noted, not repaired") {
  Json document = Json::parse(write_snapshot(rich_snapshot()));
  document["regions"][2]["committed"] = 0x22000;
  const auto snapshot = read_snapshot(document.dump());
  REQUIRE(snapshot);
  CHECK(snapshot->regions[2].usage.committed == Bytes{0x22000});
  REQUIRE(has_note(*snapshot, "inconsistent"));
  CHECK_THAT(snapshot->notes[1].message, Catch::Contains("regions[2]"));
  const std::string text = write_snapshot(*snapshot);
  CHECK(write_snapshot(*read_snapshot(text)) == text);
}

TEST_CASE("of equal keys the last counts, nothing doubles") {
  const std::string region = R"({"address":"0x1000","address":"0x5000","size":1,"size":4096})";
  const auto snapshot =
      read_snapshot(head + "\"regions\":[" + region + "],\"regions\":[" + region +
                    R"(],"limits":{"a":{"used":1},"a":{"used":2}},"threads":[{}],"threads":[{},{}]})");
  REQUIRE(snapshot);
  REQUIRE(snapshot->regions.size() == 1);
  CHECK(snapshot->regions[0].range == Range{0x5000, 0x6000});
  REQUIRE(snapshot->limits.size() == 1);
  CHECK(snapshot->limits[0].used == Bytes{2});
  CHECK(snapshot->threads.size() == 2);
}

TEST_CASE("a snapshot is recognised by its content") {
  CHECK(looks_like_snapshot(" \r\n\t{ \"schema\" : \"x\"}"));
  CHECK(looks_like_snapshot("\xEF\xBB\xBF{\"schema\":"));
  for (const char* text : {"", "{", "{}", "[\"schema\"]",
                           "\x7f"
                           "ELF",
                           "{\"scheme\":", "\"schema\""}) {
    CHECK_FALSE(looks_like_snapshot(text));
  }
}

TEST_CASE("shortfalls are read as they stand; files of older versions have none") {
  const auto read = [](std::string_view list) {
    return read_snapshot(head + "\"regions\":[],\"heap_shortfalls\":" + std::string(list) + "}");
  };
  const auto old = read_snapshot(with_regions(""));
  REQUIRE(old);
  CHECK(old->heap_shortfalls.empty());
  CHECK(read("null")->heap_shortfalls.empty());
  const auto later = read(R"([{"allocator":"new","figures":"blocks","reason":"stolen","blocks":2,"bytes":null}])");
  REQUIRE(later);
  REQUIRE(later->heap_shortfalls.size() == 1);
  const HeapShortfall expected{.allocator = "new", .figures = HeapShortfall::Figures::Blocks, .blocks = 2, .bytes = {}};
  CHECK(later->heap_shortfalls[0] == expected);
  CHECK(has_note(*later, "unknown_value"));
  for (const char* wrong : {"{}", "[1]", "[null]", R"([{"bytes":-1}])", R"([{"reason":7}])"}) CHECK_FALSE(read(wrong));
}

TEST_CASE("each allocator's shortfall is one note, though it stands in two kinds of figures") {
  Snapshot snapshot;
  HeapShortfall missing{.allocator = "glibc", .blocks = 3, .bytes = 10 << 10};
  add_heap_shortfalls(snapshot, std::vector{missing});
  missing.figures = HeapShortfall::Figures::Blocks;
  add_heap_shortfalls(snapshot, std::vector{missing});
  missing.reason = HeapShortfall::Reason::SwappedOut;
  add_heap_shortfalls(snapshot, std::vector{missing});
  REQUIRE(snapshot.heap_shortfalls.size() == 3);
  REQUIRE(snapshot.notes.size() == 2);
  CHECK_THAT(snapshot.notes[0].message, Catch::Contains("glibc's malloc counts 3 blocks of 10 K more"));
  CHECK_THAT(snapshot.notes[1].message, Catch::Contains("swapped out") && Catch::Contains("--all-pages"));
}
