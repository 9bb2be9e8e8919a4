#include <catch2/catch.hpp>

#include "libvmscan/source/linux/text/maps_text.h"

using namespace vmscan;

TEST_CASE("a line of maps is taken apart") {
  const auto mapping =
      parse_maps_line("7fa8cf979000-7fa8cf99f000 r-xp 00026000 fe:01 332835                     /usr/lib/libc.so.6");
  REQUIRE(mapping.has_value());
  CHECK(mapping->range == Range{0x7fa8cf979000, 0x7fa8cf99f000});
  CHECK((mapping->read && !mapping->write && mapping->execute && !mapping->shared));
  CHECK(mapping->offset == 0x26000);
  CHECK(key_of(*mapping) == FileKey{0xfe, 1, 332835});
  CHECK(mapping->path == "/usr/lib/libc.so.6");
  CHECK_FALSE(mapping->deleted);
}

TEST_CASE("the path of a mapping is the rest of its line") {
  struct Case {
    const char* text;
    const char* path;
    bool deleted;
  };
  const auto [text, path, deleted] = GENERATE(values<Case>({
      {"", "", false},
      {" ", "", false},
      {" [heap]", "[heap]", false},
      {" /a b  c", "/a b  c", false},
      {" /new\\012line", "/new\nline", false},
      {" /back\\slash", "/back\\slash", false},
      {" /dev/zero (deleted)", "/dev/zero", true},
      {" /x (deleted) (deleted)", "/x (deleted)", true},
      {" /ends in (deleted", "/ends in (deleted", false},
      {" /trailing ", "/trailing ", false},
  }));
  const auto mapping = parse_maps_line(std::string("1000-2000 rw-s 00000000 00:01 5") + text);
  REQUIRE(mapping.has_value());
  CHECK(mapping->path == path);
  CHECK(mapping->deleted == deleted);
  CHECK(mapping->shared);
}

TEST_CASE("what is no line of maps is an error") {
  const char* line = GENERATE("", "1000-2000", "1000-2000 rw-p", "1000 2000 rw-p 0 00:00 0", "00-zz rw-p 0 00:00 0",
                              "2000-1000 rw-p 0 00:00 0", "1000-1000 rw-p 0 00:00 0", "1000-2000 rwxq 0 00:00 0",
                              "10000000000000000-2000 rw-p 0 00:00 0", "1000-2000 rw-p 0 100000000:00 0",
                              "1000-2000 rw-p 0 00:00 99999999999999999999", "1000-2000 rw-p 0 00:00 0x");
  const auto mapping = parse_maps_line(line);
  REQUIRE_FALSE(mapping.has_value());
  CHECK(mapping.error().code == ErrorCode::Malformed);
}

TEST_CASE("maps loses a broken line with a note and keeps the others") {
  const MapsText maps = parse_maps("1000-2000 rw-p 0 00:00 0\nnonsense\n2000-3000 r--p 0 00:00 0");
  REQUIRE(maps.mappings.size() == 2);
  CHECK(maps.ordered);
  REQUIRE(maps.notes.size() == 1);
  CHECK(maps.notes[0].code == "bad_mapping_line");
  CHECK_THAT(maps.notes[0].message, Catch::Contains("line 2") && Catch::Contains("nonsense"));
}

TEST_CASE("maps that go backwards or overlap are not ordered") {
  CHECK_FALSE(parse_maps("2000-3000 rw-p 0 00:00 0\n1000-2000 rw-p 0 00:00 0\n").ordered);
  CHECK_FALSE(parse_maps("1000-3000 rw-p 0 00:00 0\n2000-4000 rw-p 0 00:00 0\n").ordered);
  CHECK(parse_maps("").ordered);
}
