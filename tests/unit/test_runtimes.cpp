#include <algorithm>
#include <catch2/catch.hpp>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/owners/runtimes/runtimes.h"
#include "tests/support/fake_block_runtimes.h"
#include "tests/support/fake_runtimes.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

using Parts = std::vector<std::pair<Range, std::string>>;

Parts find(FakeMemory& memory) {
  std::sort(memory.facts().mappings.begin(), memory.facts().mappings.end(),
            [](const Mapping& a, const Mapping& b) { return a.range.begin < b.range.begin; });
  find_runtime_parts(memory.facts(), memory);
  Parts parts;
  for (const RuntimePart& part : memory.facts().runtimes)
    parts.emplace_back(part.range, part.block.empty() ? part.details : part.details + ": " + part.block);
  CHECK(broken_laws(build_snapshot(memory.facts())).empty());
  return parts;
}

template <class Fake>
FakeMemory memory_of() {
  FakeMemory memory;
  Fake::add(memory);
  return memory;
}

Range sized(Address begin, std::uint64_t size) { return {begin, begin + size}; }

}  // namespace

TEST_CASE("CPython's table of arenas gives them, and their pools prove it") {
  using F = FakePython;
  FakeMemory memory = memory_of<F>();
  const Parts arenas{{sized(F::arenas[0], F::arena_bytes), "CPython arenas"},
                     {sized(F::arenas[1], F::arena_bytes), "CPython arenas"}};
  CHECK(find(memory) == arenas);
  SECTION("an arena whose pool is of another one is left out") {
    memory.put(F::arenas[1] + 32, 7, 4);
    CHECK(find(memory) == Parts{arenas[0]});
  }
  SECTION("without any pool that says so there is none") {
    memory.put(F::arenas[0] + F::pool_bytes - 0x1000 + 44, 5, 4);
    memory.put(F::arenas[1] + 44, 5, 4);
    CHECK(find(memory).empty());
  }
  SECTION("the same memory in another program is not Python's") {
    memory.put(F::image + 0x1000 + 24, 0, 4);  // the exported name
    CHECK(find(memory).empty());
  }
}

TEST_CASE("pages of V8's heap say what they are and which address space they were taken from") {
  using F = FakeV8;
  FakeMemory memory = memory_of<F>();
  const std::pair<Range, std::string> old{sized(F::old_page, F::page_bytes), "V8 old space"},
      young{sized(F::young_page, F::page_bytes), "V8 young space"},
      code{sized(F::code_page, F::page_bytes), "V8 old space"},  // nothing but the vtable tells that it is code
      range{{F::code_page + F::page_bytes, F::code_page + F::code_bytes}, "V8 old space"};
  CHECK(find(memory) == Parts{old, young, code, range});
  SECTION("a page of another size than its reservation is none") {
    memory.put_word(F::old_page, 2 * F::page_bytes);
    CHECK(find(memory) == Parts{young, code, range});
  }
  SECTION("nor one that is not all mapped") {
    memory.put_word(F::young_page, std::uint64_t{1} << 35);
    memory.put_word(F::young_page + 88, std::uint64_t{1} << 35);
    CHECK(find(memory) == Parts{old, code, range});
  }
  SECTION("an address space that is not all mapped is left out") {
    memory.put_word(F::objects + 0x210, 2 * F::code_bytes);
    CHECK(find(memory) == Parts{old, young, code});
  }
}

TEST_CASE("pages in V8's sandbox hold their own numbers") {
  using F = FakeSandbox;
  FakeMemory memory = memory_of<F>();
  const Parts found = find(memory);
  REQUIRE(found.size() == 8);
  CHECK(found[0] == std::pair(Range{F::cage - F::guard, F::cage}, std::string("V8 sandbox: array buffers")));
  CHECK(found[1] == std::pair(sized(F::cage, F::page_bytes), std::string("V8 heap cage")));
  CHECK(found[2].second == "V8 heap cage: old space");
  CHECK(found[4].second == "V8 heap cage: young space");
  CHECK(found[7].first.end == F::cage + F::cage_bytes + F::guard);
  SECTION("too few that do so prove nothing") {
    memory.put_word(F::cage + F::page_bytes + 8, 9);
    memory.put_word(F::cage + 2 * F::page_bytes + 8, 9);
    CHECK(find(memory).empty());
  }
}

TEST_CASE("pages of cppgc lead to their heap and back") {
  using F = FakeCppgc;
  FakeMemory memory = memory_of<FakeSandbox>();
  F::add(memory);
  const std::pair<Range, std::string> cage{sized(F::cage, F::cage_bytes), "V8 C++ heap (cppgc)"};
  const auto cages = [&] { return std::ranges::count(find(memory), cage); };
  CHECK(cages() == 1);
  SECTION("a space that leads elsewhere") {
    memory.put_word(F::space + 8, F::heap + 0x1000);
    CHECK(cages() == 0);
  }
  SECTION("an arena with such heads in a program without V8") {
    FakeMemory other = memory_of<F>();
    CHECK(find(other).empty());
  }
  SECTION("mappings in it that begin with something else") {
    memory.map(F::cage + F::first - F::page_bytes, 0x1000);
    std::erase_if(memory.facts().mappings, [](const Mapping& each) { return each.range.begin == F::cage; });
    memory.reserve(F::cage, F::first - F::page_bytes);
    memory.reserve(F::cage + F::first - F::page_bytes + 0x1000, F::page_bytes - 0x1000);
    CHECK(cages() == 0);
  }
}

TEST_CASE("Go's table of arenas is proved by all of its entries") {
  using F = FakeGo;
  FakeMemory memory = memory_of<F>();
  const std::pair<Range, std::string> first{sized(F::arena, F::arena_bytes), "Go arena"},
      second{sized(F::arena + F::arena_bytes, F::arena_bytes), "Go arena"},
      table{sized(F::table, F::table_bytes), "Go metadata: table of arenas"},
      chunk{sized(F::chunk, F::chunk_bytes), "Go metadata"},
      of_first{sized(F::metadata, F::metadata_bytes), "Go metadata: of an arena"},
      of_second{sized(F::metadata + F::metadata_step, F::metadata_bytes), "Go metadata: of an arena"};
  CHECK(find(memory) == Parts{of_first, of_second, chunk, first, second, table});
  SECTION("what touches is not the runtime's") {
    memory.map(F::chunk + F::chunk_bytes, 0x100000);
    memory.map(F::table + F::table_bytes, 0x100000);
    CHECK(find(memory) == Parts{of_first, of_second, chunk, first, second, table});
  }
  SECTION("a chain of chunks that ends elsewhere") {
    memory.put_word(F::chunk, 0x1234);
    CHECK(find(memory) == Parts{of_first, of_second, first, second, table});
  }
  SECTION("spans that do not lead back") {
    memory.put_word(F::span + 24, F::arena + 0x4000);
    CHECK(find(memory) == Parts{first, second, table});
  }
  SECTION("an entry that leads nowhere") {
    memory.put_word(F::arena_entry + 16, F::metadata);
    CHECK(find(memory).empty());
  }
}

TEST_CASE("HotSpot's own tables lead to the Java heap and the code cache") {
  using F = FakeHotspot;
  FakeMemory memory = memory_of<F>();
  CHECK(find(memory) == Parts{{sized(F::heap, F::heap_bytes), "HotSpot Java heap"},
                              {sized(F::code, F::code_bytes), "HotSpot code cache"}});
  SECTION("a heap whose size wraps around") {
    memory.put_word(F::universe + 40, ~std::uint64_t{0} / 8);
    CHECK(find(memory) == Parts{{sized(F::code, F::code_bytes), "HotSpot code cache"}});
  }
  SECTION("a table that never ends") {
    memory.put_word(F::variables + 8, 0);
    CHECK(find(memory).empty());
  }
}

TEST_CASE("Mono's blocks, young generation and large objects are told by its structures") {
  using F = FakeMono;
  FakeMemory memory = memory_of<F>();
  const std::pair<Range, std::string> old{sized(F::blocks, 4 * F::block_bytes), "Mono old generation"},
      large{sized(F::section, F::section_bytes), "Mono large objects"},
      young{sized(F::nursery, F::nursery_bytes), "Mono young generation"};
  CHECK(find(memory) == Parts{old, large, young});
  memory.put_word(F::objects + 8, F::blocks + 0x1234);   // no block
  memory.put_word(F::objects + 0x228, 7);                // another number of scan starts
  memory.put_word(F::section + 16, F::section + 0x100);  // a map that does not follow
  CHECK(find(memory).empty());
}

TEST_CASE("CoreCLR's collector tells its segments and what they are taken from") {
  using F = FakeCoreClr;
  FakeMemory memory = memory_of<F>();
  const std::pair<Range, std::string> code{sized(F::code, 0x2000), "CoreCLR code and loader data: code"},
      frozen{sized(F::frozen, F::frozen_bytes), "CoreCLR frozen objects"},
      tables{sized(F::tables, F::table_bytes), "CoreCLR collector's tables"},
      small{sized(F::heap, F::unit), "CoreCLR small objects"},
      large{sized(F::heap + F::unit, F::unit), "CoreCLR large objects"},
      rest{sized(F::heap + 2 * F::unit, F::heap_bytes - 2 * F::unit), "CoreCLR free regions"};
  CHECK(find(memory) == Parts{code, frozen, tables, small, large, rest});
  SECTION("the server collector: a longer lock, and its table of segments alone") {
    memory.put_word(F::image + 0x6000, 0);
    memory.put_word(F::image + 0x6008, 0);
    const Address maps[] = {0, F::objects + 0x300, F::objects + 0x308, F::objects + 0x400, F::objects + 0x400};
    for (std::size_t i = 0; i < std::size(maps); ++i) memory.put_word(F::allocator + 64 + 8 * i, maps[i]);
    F::put_segment(memory, F::tables + 0x100, small.first, 0, 0);
    F::put_segment(memory, F::tables + 0x1a8, large.first, 8, 0);
    CHECK(find(memory) == Parts{code, tables, small, large, rest});
  }
  SECTION("a chain in a circle") {
    memory.put_word(F::large + 48, F::third);
    CHECK(find(memory) == Parts{code, frozen, tables, small, large, rest});
  }
  SECTION("segments that reach beyond what is mapped, or end before they begin") {
    memory.put_word(F::large + 16, F::heap + 4 * F::heap_bytes);
    memory.put_word(F::third, F::frozen);
    const std::pair<Range, std::string> more{{large.first.begin, rest.first.end}, "CoreCLR free regions"};
    CHECK(find(memory) == Parts{code, tables, small, more});
  }
  SECTION("an allocator whose map does not fit") {
    memory.put_word(F::allocator + 72, F::objects + 0x310);
    CHECK(find(memory) == Parts{code, frozen, small, large});
  }
  SECTION("no collector") {
    memory.put_word(F::image + 0x6000, 0);
    memory.put_word(F::image + 0x6008, 0);
    memory.put_word(F::allocator + 40, 3);
    CHECK(find(memory) == Parts{code});
  }
}

TEST_CASE("Ruby's pages lead to their descriptions and back") {
  using F = FakeRuby;
  FakeMemory memory = memory_of<F>();
  CHECK(find(memory).size() == F::count);
  CHECK(memory.facts().runtimes.back().range == sized(F::pages + 4 * F::page_bytes, F::page_bytes));
  memory.put_word(F::objects + 32, F::pages + F::page_bytes);
  CHECK(find(memory).size() == F::count - 1);
  memory.put_word(F::objects + 0x60 + 32, 0);
  CHECK(find(memory).empty());  // too few
}

TEST_CASE("LuaJIT's segments are those that its chain has") {
  using F = FakeLuajit;
  FakeMemory memory = memory_of<F>();
  const std::pair<Range, std::string> first{sized(F::first, F::segment_bytes), "LuaJIT heap"},
      second{sized(F::second, F::segment_bytes), "LuaJIT heap"}, block{sized(F::block, F::block_bytes), "LuaJIT heap"};
  CHECK(find(memory) == Parts{first, second, block});
  SECTION("a chain that leads nowhere") {
    memory.put_word(F::first + 0x368, F::second);
    CHECK(find(memory) == Parts{first, block});
  }
  SECTION("a chain in a circle") {
    memory.put_word(F::first + F::segment_bytes - 32, F::first + F::segment_bytes - 48);
    CHECK(find(memory) == Parts{first, second, block});
  }
  SECTION("a block without a fencepost") {
    memory.put_word(F::block + F::block_bytes - 24, 3);
    CHECK(find(memory) == Parts{first, second});
  }
}

TEST_CASE("PartitionAlloc's pools are where the free slots of its metadata are, and no managed heap") {
  using F = FakePartitionAlloc;
  FakeMemory memory = memory_of<F>();
  CHECK(find(memory) == Parts{{sized(F::metadata, F::pool_bytes), "PartitionAlloc metadata"},
                              {sized(F::pool, F::pool_bytes), "PartitionAlloc"}});
  const Snapshot snapshot = build_snapshot(memory.facts());
  CHECK(snapshot.regions.back().type == RegionType::Heap);
  CHECK(snapshot.regions.back().rule == "runtime_allocator");
  memory.put_word(F::first_page + 48, F::pool);  // a bucket of no partition
  CHECK(find(memory).empty());
}

TEST_CASE("a runtime's memory is Managed Heap with what is reserved for it, before any guess about malloc") {
  FakeMemory memory = memory_of<FakeGo>();
  find(memory);
  const Snapshot snapshot = build_snapshot(memory.facts());
  const auto region = std::find_if(snapshot.regions.begin(), snapshot.regions.end(),
                                   [](const Region& each) { return each.range.begin == FakeGo::arena; });
  REQUIRE(region != snapshot.regions.end());
  CHECK(region->range == sized(FakeGo::arena, 2 * FakeGo::arena_bytes));  // arenas that touch are one region
  CHECK(region->type == RegionType::ManagedHeap);
  CHECK(region->rule == "runtime_structure");
  CHECK(region->details == "Go arena");
}
