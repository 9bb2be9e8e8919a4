#include <catch2/catch.hpp>

#include "libvmscan/model/region.h"

using namespace vmscan;

namespace {

struct Case {
  Protection protection;
  const char* text;
  int constant;  // PAGE_* of winnt.h
};

// The spellings of VMMap's protection column; write-only rights exist on Linux only.
const Case cases[] = {
    {{}, "No access", 0x01},
    {{.read = true}, "Read", 0x02},
    {{.read = true, .write = true}, "Read/Write", 0x04},
    {{.write = true}, "Write", 0x04},
    {{.read = true, .write = true, .copy_on_write = true}, "Copy on write", 0x08},
    {{.execute = true}, "Execute", 0x10},
    {{.read = true, .execute = true}, "Execute/Read", 0x20},
    {{.read = true, .write = true, .execute = true}, "Execute/Read/Write", 0x40},
    {{.write = true, .execute = true}, "Execute/Write", 0x40},
    {{.read = true, .write = true, .execute = true, .copy_on_write = true}, "Execute/Copy on Write", 0x80},
    {{.read = true, .write = true, .guard = true}, "Read/Write/Guard", 0x104},
    {{.guard = true}, "No access/Guard", 0x101},
};

}  // namespace

TEST_CASE("a protection is spelled as VMMap spells it, and read back") {
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(to_string(c.protection) == c.text);
    CHECK(parse_protection(c.text) == c.protection);
    CHECK(page_constant(c.protection) == c.constant);
  }
}

TEST_CASE("every combination of rights has a spelling that reads back to itself") {
  for (unsigned bits = 0; bits < 32; ++bits) {
    const Protection protection{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0};
    const std::string text = to_string(protection);
    REQUIRE(parse_protection(text));
    CHECK(to_string(*parse_protection(text)) == text);
  }
}

TEST_CASE("a protection is read in any case, anything else is refused") {
  CHECK(parse_protection("COPY ON WRITE") == Protection{.read = true, .write = true, .copy_on_write = true});
  for (const char* text : {"", "/Guard", "Read/", "rw-p", "Read/Write/Guard/Guard", "Reserved", " Read"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_protection(text));
  }
}

TEST_CASE("a region type is known by its name and by VMMap's title, in any case") {
  for (const RegionTypeName& entry : region_types) {
    CHECK(parse_region_type(entry.name) == entry.type);
    CHECK(parse_region_type(entry.title) == entry.type);
  }
  CHECK(parse_region_type("MAPPED-file") == RegionType::MappedFile);
  CHECK_FALSE(parse_region_type(""));
  CHECK_FALSE(parse_region_type("images"));
}

TEST_CASE("a region shows the protection of its block with the largest page constant") {
  Region region;
  CHECK_FALSE(region.protection());
  region.blocks.resize(3);
  region.blocks[0].protection = Protection{.read = true};
  region.blocks[2].protection = Protection{.read = true, .execute = true};
  CHECK(region.protection() == Protection{.read = true, .execute = true});
}
