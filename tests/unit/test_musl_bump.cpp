#include <catch2/catch.hpp>

#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/owners/allocators/musl/musl_bump.h"
#include "libvmscan/owners/find_owners.h"
#include "tests/support/fake_memory.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

constexpr Address data = 0x400000, variables = data + 0x1c8, heap = 0x7cab000, end = heap + 0x741000;

/// As GCC lays out the variables of musl 1.2.3: mmap_step, brk, end, cur.
FakeMemory program(std::uint32_t step, Address brk, Address area_end, Address cur) {
  FakeMemory memory;
  memory.facts().target.executable = "/srv/static";
  memory.map(data, 0x2000, "/srv/static");
  memory.map(heap, end - heap, "[heap]");
  memory.put(variables, step, 4);
  memory.put_word(variables + 8, brk);
  memory.put_word(variables + 16, area_end);
  memory.put_word(variables + 24, cur);
  return memory;
}

MuslBump found_in(FakeMemory& memory) { return find_musl_bump(TargetMemory(memory.facts(), memory)); }

HeapReport walked(FakeMemory& memory) { return walk_heaps(memory.facts(), memory, {}).value(); }

}  // namespace

TEST_CASE("a static musl program that never frees has a heap up to its brk") {
  FakeMemory memory = program(0, end, end, end - 0x130);
  const MuslBump found = found_in(memory);
  CHECK(found.state == variables + 8);
  CHECK_FALSE(found.mapped);
  REQUIRE(found.areas.size() == 1);
  CHECK(found.areas[0].range == Range{heap, end});
  const HeapReport report = walked(memory);
  REQUIRE(report.heaps.size() == 1);
  CHECK(report.heaps[0].live == BlockSum{1, end - heap - 0x130});
  CHECK(report.heaps[0].top == 0x130);
  CHECK(report.heaps[0].unread == 0);
  CHECK(report.shortfalls.empty());
  const HeapReport asked =
      walk_heaps(memory.facts(), memory, {.list_request = {}, .list_address = heap + 0x500}).value();
  REQUIRE(asked.blocks.size() == 1);
  CHECK(asked.blocks[0].address == heap);
  find_heap_parts(memory.facts(), memory, 0);
  REQUIRE(memory.facts().heaps.size() == 1);
  CHECK(memory.facts().heaps[0].range == Range{heap, end});
}

TEST_CASE("the order of its variables is the compiler's choice") {
  FakeMemory memory = program(0, end - 0x130, end, end);
  CHECK(found_in(memory).areas.size() == 1);
}

TEST_CASE("once brk has failed, only the last area is known, and that is a shortfall of unknown size") {
  constexpr Address area = 0x7f0000000000;
  const std::uint32_t step = GENERATE(0U, 3U);
  FakeMemory memory = program(step, end, area + 0x2000, area + 0x1400);
  memory.map(area, 0x2000);
  const MuslBump found = found_in(memory);
  CHECK(found.mapped);
  REQUIRE(found.areas.size() == 2);
  CHECK(found.areas[0].range == Range{heap, end});
  CHECK(found.areas[1].range == Range{area + 0x1000, area + 0x2000});
  const HeapReport report = walked(memory);
  REQUIRE(report.shortfalls.size() == 1);
  CHECK_FALSE(report.shortfalls[0].bytes.known());
  find_heap_parts(memory.facts(), memory, 0);
  CHECK(memory.facts().heap_shortfalls.size() == 1);
}

TEST_CASE("other words that point to the heap are no such variables") {
  const auto none = [](FakeMemory memory) { return found_in(memory).areas.empty(); };
  CHECK(none(program(0, end, end, heap)));              // nothing was given
  CHECK(none(program(0, end, end, heap - 8)));          // not in the heap
  CHECK(none(program(0, end - 8, end - 8, end - 64)));  // no page
  CHECK(none(program(0, end, 0, end - 8)));
  CHECK(none(program(0, end, heap + 0x3000, heap + 0x2000)));   // no area was mapped
  CHECK(none(program(13, end, data + 0x1000, data + 0x800)));   // more steps than there are
  CHECK(none(program(3, end, data + 0x1000, data + 0x800)));    // in the program's file
  CHECK(none(program(3, end, heap + 0x90000, heap + 0x2000)));  // larger than an area that is mapped
  FakeMemory dynamic = program(0, end, end, end - 0x130);
  dynamic.map(0x7f1000000000, 0x1000, "/lib/ld-musl-x86_64.so.1");
  CHECK(found_in(dynamic).areas.empty());
}
