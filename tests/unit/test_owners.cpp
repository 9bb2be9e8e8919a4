#include <algorithm>
#include <catch2/catch.hpp>

#include "libvmscan/breakdown/waterfall.h"
#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/owners/find_owners.h"
#include "libvmscan/owners/loader/loader_data.h"
#include "libvmscan/owners/runtimes/runtimes.h"
#include "tests/support/fake_image.h"
#include "tests/support/fake_owners.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

void sort(FakeMemory& memory) {
  std::sort(memory.facts().mappings.begin(), memory.facts().mappings.end(),
            [](const Mapping& a, const Mapping& b) { return a.range.begin < b.range.begin; });
}

std::vector<Range> parts_called(FakeMemory& memory, std::string_view details) {
  sort(memory);
  find_runtime_parts(memory.facts(), memory);
  std::vector<Range> found;
  for (const RuntimePart& part : memory.facts().runtimes)
    if (part.details == details) found.push_back(part.range);
  CHECK(broken_laws(build_snapshot(memory.facts())).empty());
  return found;
}

}  // namespace

TEST_CASE("free entries of V8's pointer tables are numbered from where the table begins") {
  using F = FakeTables;
  FakeMemory memory;
  F::add(memory);
  const Range external{F::external, F::external + 3 * F::segment_bytes};
  const Range functions{F::functions, F::functions + F::segment_bytes};
  CHECK(parts_called(memory, "V8 pointer tables") == std::vector{external, functions});
  SECTION("numbers that go on to the end of the segment are somebody's numbers") {
    memory.put_word(functions.end - 16, 0xffff000000001000);
    CHECK(parts_called(memory, "V8 pointer tables") == std::vector{external});
  }
  SECTION("numbers of a table outside of the reservation") {
    for (Address at = functions.end - 16 * 16; at < functions.end - 16; at += 16)
      memory.put_word(at, 0xffff0000f0000000 + at / 16 % 0x1000);
    CHECK(parts_called(memory, "V8 pointer tables") == std::vector{external});
  }
  SECTION("without a heap of V8 there are none") {
    for (std::uint64_t number = 1; number <= 4; ++number)
      memory.put_word(FakeSandbox::cage + number * FakeSandbox::page_bytes + 8, 0);
    CHECK(parts_called(memory, "V8 pointer tables").empty());
  }
}

TEST_CASE("entries of a V8 table may have their number in the middle") {
  using F = FakeTables;
  FakeMemory memory;
  F::add(memory);
  for (Address at = F::functions + F::segment_bytes / 2; at < F::functions + F::segment_bytes; at += 8) {
    const std::uint64_t next = (at - F::functions) / 8 + 1;
    memory.put_word(at, (at + 8 == F::functions + F::segment_bytes ? 0 : next) << 16 | 0xfffe);
  }
  CHECK(parts_called(memory, "V8 pointer tables").size() == 2);
}

TEST_CASE("PHP's chunks make a ring, and one of them has the heap") {
  using F = FakePhp;
  FakeMemory memory;
  F::add(memory);
  const Range first{F::first, F::first + F::chunk_bytes}, second{F::second, F::second + F::chunk_bytes},
      large{F::large, F::large + F::large_bytes};
  CHECK(parts_called(memory, "PHP heap") == std::vector{first, second, large});
  SECTION("a large block that is not all mapped") {
    memory.put_word(F::node + 8, 2 * F::large_bytes - 0x2000);
    CHECK(parts_called(memory, "PHP heap") == std::vector{first, second});
  }
  SECTION("a ring that is open") {
    memory.put_word(F::second + 8, F::large);
    CHECK(parts_called(memory, "PHP heap").empty());
  }
  SECTION("chunks of another allocator, which look the same but do not count themselves") {
    memory.put(F::heap + 344, 3, 4);
    CHECK(parts_called(memory, "PHP heap").empty());
  }
  SECTION("chunks whose first page is not their head") {
    memory.put(F::second + 544, 0x80000001, 4);
    CHECK(parts_called(memory, "PHP heap").empty());
  }
  SECTION("a heap outside of the chunks") {
    for (const Address chunk : {F::first, F::second}) memory.put_word(chunk, F::large + 64);
    CHECK(parts_called(memory, "PHP heap").empty());
  }
}

TEST_CASE("pages to which the loader's data and its link_maps lead are the loader's") {
  using F = FakeLoader;
  FakeMemory memory;
  F::add(memory);
  sort(memory);
  const Range first{0x7fa600031000, 0x7fa600033000}, second{0x7fa600020000, 0x7fa600021000},
      block{0x7fa600040000, 0x7fa600041000};
  {
    const TargetMemory target(memory.facts(), memory);
    CHECK(find_loader_data(target) == std::vector{second, first, block});
  }
  SECTION("they are Private Data that the waterfall names") {
    find_heap_parts(memory.facts(), memory, 0);
    const Snapshot snapshot = build_snapshot(memory.facts());
    CHECK(broken_laws(snapshot).empty());
    const auto is_loaders = [](const Region& region) { return region.rule == "loader_data"; };
    CHECK(std::count_if(snapshot.regions.begin(), snapshot.regions.end(), is_loaders) == 3);
    const Waterfall split = explain(snapshot, nullptr);
    const auto line = std::find_if(split.lines.begin(), split.lines.end(),
                                   [](const WaterfallLine& each) { return each.part == WaterfallPart::PrivateData; });
    REQUIRE(line != split.lines.end());
    CHECK(line->details == "dynamic loader");
    CHECK(line->bytes == 0x3000);
    CHECK((line + 1)->details == "first thread's TLS");
    CHECK((line + 1)->bytes == 0x1000);
  }
  SECTION("an object that does not know itself ends the list") {
    memory.put_word(F::second + 40, 0);
    const TargetMemory target(memory.facts(), memory);
    CHECK(find_loader_data(target).empty());  // the list from the start does not fit any more
  }
  SECTION("what a link_map points to may be malloc's, whoever's that is") {
    const Range lists{0x7fa600060000, 0x7fa600062000};
    memory.map(lists.begin, lists.size());
    memory.put_word(F::second + 50 * 8, lists.begin + 0x1240);
    sort(memory);
    const TargetMemory target(memory.facts(), memory);
    CHECK(find_loader_data(target) == std::vector{second, first, block});
  }
  SECTION("where pointers explain all of a stretch it is the loader's") {
    memory.put_word(F::second + 50 * 8, 0x7fa600021010);
    const TargetMemory target(memory.facts(), memory);
    CHECK(find_loader_data(target) == std::vector{{second.begin, 0x7fa600022000}, first, block});
  }
  SECTION("a table of unique symbols, to which nothing points any more") {
    constexpr Address image = 0x7fa600300000, table = 0x7fa600021200;
    memory.facts().target.kind = TargetKind::Core;  // of which not every image is known
    map_image(memory, image, 0x8000, "/usr/lib/libstdc++.so.6", {{"symbol", 0x4000}});
    for (Address entry = table; entry < table + 4 * 32; entry += 32) {
      memory.put_word(entry, 0x9e3779b9);
      memory.put_word(entry + 8, image + 0x3001);
      memory.put_word(entry + 16, image + 0x1018);
      memory.put_word(entry + 24, F::second);
    }
    sort(memory);
    SECTION("is the loader's") {
      const TargetMemory target(memory.facts(), memory);
      CHECK(find_loader_data(target) == std::vector{{second.begin, 0x7fa600022000}, first, block});
    }
    SECTION("numbers that are no hashes") {
      for (Address entry = table; entry < table + 4 * 32; entry += 32) memory.put_word(entry, 0x1000000000);
      const TargetMemory target(memory.facts(), memory);
      CHECK(find_loader_data(target) == std::vector{second, first, block});
    }
    SECTION("objects that nobody has loaded") {
      for (Address entry = table; entry < table + 4 * 32; entry += 32) memory.put_word(entry + 24, table);
      const TargetMemory target(memory.facts(), memory);
      CHECK(find_loader_data(target) == std::vector{second, first, block});
    }
  }
  SECTION("a heap with link_maps of what was loaded later, from its first page to its last") {
    constexpr Address heap = 0x7fa600070000, later[] = {heap + 0x10, heap + 0x5010, heap + 0xfb00};
    memory.map(heap, 0x10000);
    sort(memory);
    Address before = F::dynamic;
    for (const Address object : later) {
      memory.put_word(before + 24, object);
      memory.put_word(object + 32, before);
      memory.put_word(object + 40, object);
      before = object;
    }
    SECTION("they do not make it the loader's") {}
    SECTION("nor does the program's list, which has grown to hold them") {
      memory.put_word(F::first + 0x10 + 90 * 8, heap + 0x3000);
      memory.put_word(F::first + 0x10 + 91 * 8, 6);
      const Address all[] = {F::first + 0x10, F::second, F::dynamic, later[0], later[1], later[2]};
      for (std::size_t i = 0; i < 6; ++i) memory.put_word(heap + 0x3000 + 8 * i, all[i]);
    }
    const TargetMemory target(memory.facts(), memory);
    CHECK(find_loader_data(target) == std::vector{second, first, block});
  }
  SECTION("a heap that the kernel has joined with the loader's pages") {
    memory.map(0x7fa60002c000, 0x4000);
    memory.map(0x7fa600034000, 0xb000);
    auto& mappings = memory.facts().mappings;
    std::erase_if(mappings, [](const Mapping& each) {
      return each.range.begin == 0x7fa60002c000 || each.range.begin == 0x7fa600034000;
    });
    std::ranges::find(mappings, 0x7fa600030000, [](const Mapping& each) { return each.range.begin; })->range = {
        0x7fa60002c000, 0x7fa60003f000};
    const TargetMemory target(memory.facts(), memory);
    CHECK(find_loader_data(target) == std::vector{second, first, block});
  }
  SECTION("TLS that the first thread got later, and one of another thread that forked this process") {
    memory.put_word(F::dtv + 16, 0x7fa600020900);
    memory.put_word(F::dtv + 24, 0x7fa600020900);  // to be freed
    SECTION("a block that is freed one day is malloc's") {
      const TargetMemory target(memory.facts(), memory);
      CHECK(find_loader_data(target) == std::vector{second, first, block});
    }
    SECTION("a dtv that ld.so does not know") {
      memory.put_word(F::dtv_place, 0);
      const TargetMemory target(memory.facts(), memory);
      CHECK(find_loader_data(target) == std::vector{second, {first.begin, first.begin + 0x1000}});
    }
  }
  SECTION("without link_maps nothing is the loader's") {
    memory.put_word(F::first + 0x10 + 40, 0);
    const TargetMemory target(memory.facts(), memory);
    CHECK(find_loader_data(target).empty());
  }
}
