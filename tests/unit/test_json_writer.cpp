#include <catch2/catch.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "formats/native/json_writer.h"

using namespace vmscan;
using namespace vmscan::formats;

TEST_CASE("commas stand between values only") {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("a");
  json.begin_array();
  json.number(std::uint64_t{18446744073709551615U});
  json.number(std::int64_t{-1});
  json.begin_array();
  json.end_array();
  json.boolean(true);
  json.end_array();
  json.key("b");
  json.begin_object();
  json.end_object();
  json.key("c");
  json.bytes({});
  json.key("d");
  json.bytes(4096);
  json.key("e");
  json.address(0x7f00deadbeef);
  json.end_object();
  CHECK(out == R"({"a":[18446744073709551615,-1,[],true],"b":{},"c":null,"d":4096,"e":"0x7f00deadbeef"})");
}

TEST_CASE("hostile strings become valid JSON") {
  for (const std::string& text : {std::string("a\"b\\c"), std::string("\x1b[31m\n\t"), std::string("nul\0byte", 8),
                                  std::string("caf\xC3\xA9"), std::string(300, 'x')}) {
    std::string out;
    JsonWriter(out).string(text);
    CHECK(nlohmann::json::parse(out).get<std::string>() == text);
  }
  std::string out;
  JsonWriter(out).string("bad\xFF");
  CHECK(nlohmann::json::parse(out).get<std::string>() == "bad\xEF\xBF\xBD");
}

TEST_CASE("every byte at every place of a string comes back") {
  for (std::size_t length = 1; length <= 17; ++length) {
    for (std::size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 0x80; ++byte) {
        std::string text(length, 'x');
        text[place] = static_cast<char>(byte);
        std::string out;
        JsonWriter(out).string(text);
        REQUIRE(nlohmann::json::parse(out).get<std::string>() == text);
        const bool plain = byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';  // RFC 8259, section 7
        REQUIRE((out.size() == length + 2) == (plain || byte == 0x7F));
      }
    }
  }
}

TEST_CASE("a hostile or a long key is a string like any other") {
  for (const std::string& name : {std::string("a\"b"), std::string(1000, 'k')}) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.foreign_key(name);
    json.null();
    json.end_object();
    CHECK(nlohmann::json::parse(out).contains(name));
  }
}

TEST_CASE("times are RFC 3339 in UTC with milliseconds") {
  CHECK(format_time(0) == "1970-01-01T00:00:00.000Z");
  CHECK(format_time(951'827'696'789) == "2000-02-29T12:34:56.789Z");  // date -u -d @951827696
  CHECK(format_time(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(format_time(253'402'300'799'999) == "9999-12-31T23:59:59.999Z");
  CHECK(format_time(INT64_MAX) == "9999-12-31T23:59:59.999Z");
  CHECK(format_time(INT64_MIN) == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("times are read back, with any offset and fraction") {
  const auto parsed = [](std::string_view text) {
    std::int64_t unix_ms = 0;
    return parse_time(text, unix_ms) ? unix_ms : INT64_MIN;
  };
  CHECK(parsed("2000-02-29T12:34:56.789Z") == 951'827'696'789);
  CHECK(parsed("2000-02-29T14:34:56.789123+02:00") == 951'827'696'789);
  CHECK(parsed("2000-02-29t12:34:56z") == 951'827'696'000);
  CHECK(parsed("1969-12-31T23:59:59.999Z") == -1);
  for (const char* text :
       {"", "2001-02-29T00:00:00Z", "2000-02-30T00:00:00Z", "2000-13-01T00:00:00Z", "2000-01-01T24:00:00Z",
        "2000-01-01T00:60:00Z", "2000-01-01T00:00:00", "2000-01-01T00:00:00.Z", "2000-01-01T00:00:00Z ", "2000-01-01",
        "20000-01-01T00:00:00Z", "2000-01-01T00:00:00+2:00", "-200-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00",
        "2000-1-01T00:00:00Z"}) {
    CAPTURE(text);
    CHECK(parsed(text) == INT64_MIN);
  }
}
