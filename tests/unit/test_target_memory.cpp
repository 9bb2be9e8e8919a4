#include "libvmscan/memory/target_memory.h"

#include <catch2/catch.hpp>

#include "tests/support/fake_memory.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

constexpr Address base = 0x7f0000000000;

bool any(const TargetMemory&, std::string_view) { return true; }

/// Code, data and .bss of one file: 0x1800 bytes of its data are in the file, 0x4800 in memory.
void map_parts(FakeMemory& memory) {
  memory.map(base, 0x2000, "/usr/lib/libx.so");
  memory.map(base + 0x2000, 0x2000, "/usr/lib/libx.so");
  memory.map(base + 0x4000, 0x8000);  // the program's own memory lies behind the .bss
  auto& mappings = memory.facts().mappings;
  mappings[0].write = false;
  mappings[0].execute = true;
  mappings[1].offset = 0x2000;
  memory.facts().target.page_size = 0x1000;
}

void describe_image(FakeMemory& memory) {
  ElfImage image;
  image.segments.push_back({0, 0, 0x2000, 0x2000, true, false, true});
  image.segments.push_back({0x2000, 0x2000, 0x1800, 0x4800, true, true, false});
  memory.facts().images.emplace(key_of(memory.facts().mappings[0]), image);
}

}  // namespace

TEST_CASE("the .bss of an image is what its file has no bytes of") {
  FakeMemory memory;
  map_parts(memory);
  SECTION("as its headers say") {
    describe_image(memory);
    const TargetMemory target(memory.facts(), memory);
    CHECK(target.image_data(any) == std::vector{Range{base + 0x2000, base + 0x7000}});
    CHECK(target.image_bss() == std::vector{Range{base + 0x3800, base + 0x6800}});
  }
  SECTION("without headers it may be all of the data and of what lies behind") {
    const TargetMemory target(memory.facts(), memory);
    CHECK(target.image_bss() == std::vector{Range{base + 0x2000, base + 0xc000}});
  }
  SECTION("headers that say anything") {
    describe_image(memory);
    ElfImage& image = memory.facts().images.begin()->second;
    image.segments[1].memory_size = ~std::uint64_t{0};
    const TargetMemory target(memory.facts(), memory);
    for (const Range& bss : target.image_bss()) CHECK(Range{base + 0x2000, base + 0xc000}.contains(bss));
  }
  SECTION("of a process, a file that is mapped like an image and is none") {
    describe_image(memory);
    memory.facts().target.kind = TargetKind::Process;
    memory.facts().images.begin()->second.segments.clear();
    const TargetMemory target(memory.facts(), memory);
    CHECK(target.image_bss() == std::vector{Range{base + 0x4000, base + 0xc000}});
  }
}
