// Memory of managed runtimes that holds anything: what is found in it ends soon, and is a map that keeps the laws. The
// input is laid over runtimes that are in order: records of 1 byte area, 2 bytes place, and 8 bytes value; those of
// area 255 make mappings long.
#include <cstdint>

#include "libvmscan/owners/find_owners.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/support/whole_pipeline.h"
#include "tests/support/fake_block_runtimes.h"
#include "tests/support/fake_owners.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

/// All runtimes at once.
FakeMemory intact() {
  FakeMemory memory;
  FakePython::add(memory);
  FakeV8::add(memory);
  FakeTables::add(memory);  // with V8's sandbox
  FakeCppgc::add(memory);
  FakeGo::add(memory);
  FakeHotspot::add(memory);
  FakeMono::add(memory);
  FakeCoreClr::add(memory);
  FakeRuby::add(memory);
  FakeLuajit::add(memory);
  FakePhp::add(memory);
  FakePartitionAlloc::add(memory);
  return memory;
}

/// Where a record is written: areas of the target in turn.
Address place(unsigned area, std::uint64_t offset) {
  constexpr Range areas[] = {
      {FakePython::image, FakePython::image + 0x8000},
      {FakePython::table, FakePython::table + 0x1000},
      {FakePython::arenas[0], FakePython::arenas[0] + 0x8000},
      {FakeV8::objects, FakeV8::objects + 0x400},
      {FakeV8::old_page, FakeV8::old_page + 0x100},
      {FakeV8::code_page, FakeV8::code_page + 0x100},
      {FakeSandbox::cage + FakeSandbox::page_bytes, FakeSandbox::cage + FakeSandbox::page_bytes + 16},
      {FakeCppgc::heap & ~Address{0xfff}, (FakeCppgc::heap & ~Address{0xfff}) + 0x200},
      {FakeCppgc::cage + FakeCppgc::first, FakeCppgc::cage + FakeCppgc::first + 16},
      {FakeGo::image + 0x5000, FakeGo::image + 0x8000},
      {FakeGo::table, FakeGo::table + 0x1000},
      {FakeGo::arena_entry & ~Address{0xfff}, (FakeGo::arena_entry & ~Address{0xfff}) + 0x1000},
      {FakeHotspot::image, FakeHotspot::image + 0x8000},
      {FakeHotspot::universe, FakeHotspot::universe + 0x100},
      {FakeMono::image, FakeMono::image + 0x8000},
      {FakeMono::objects, FakeMono::objects + 0x400},
      {FakeMono::section, FakeMono::section + 0x40},
      {FakeCoreClr::image + 0x6000, FakeCoreClr::image + 0x6200},
      {FakeCoreClr::objects, FakeCoreClr::objects + 0x240},
      {FakeCoreClr::tables, FakeCoreClr::tables + 0x40},
      {FakeRuby::pages, FakeRuby::pages + FakeRuby::count * FakeRuby::page_bytes},
      {FakeRuby::objects, FakeRuby::objects + 0x200},
      {FakeLuajit::first, FakeLuajit::first + 0x400},
      {FakeLuajit::first + FakeLuajit::segment_bytes - 48, FakeLuajit::first + FakeLuajit::segment_bytes},
      {FakeLuajit::block, FakeLuajit::block + 16},
      {FakePhp::first, FakePhp::first + 0x200},
      {FakePhp::second, FakePhp::second + 0x40},
      {FakePhp::node, FakePhp::node + 24},
      {FakeTables::external + FakeTables::segment_bytes - 0x80, FakeTables::external + FakeTables::segment_bytes},
      {FakeTables::functions + FakeTables::segment_bytes - 0x100, FakeTables::functions + FakeTables::segment_bytes},
      {FakePartitionAlloc::first_page, FakePartitionAlloc::first_page + 0x1000},
  };
  const Range range = areas[area % std::size(areas)];
  return range.begin + offset % range.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const FakeMemory pristine = intact();
  const std::size_t input_bytes = size;
  Budget budget;
  FakeMemory memory = pristine;
  if (size % 2 == 1) memory.facts().target.kind = TargetKind::Core;
  if (size > 0 && data[0] % 8 == 0) memory.facts().target.pointer_bits = 32;
  for (; size >= 11; data += 11, size -= 11) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value |= std::uint64_t{data[3 + i]} << (8 * i);
    if (data[0] == 0xff)
      memory.stretch(data[1], data[3]);
    else
      memory.put(place(data[0], data[1] + 256U * data[2]) & ~Address{3}, value, 8);
  }
  find_owners(memory.facts(), memory, std::uint64_t{256} << 20);
  require(memory.reads() < 3'000'000, "reading is bounded");
  Address end = 0;
  for (const RuntimePart& part : memory.facts().runtimes) {
    require(part.range.begin >= end && !part.range.empty(), "parts are sorted and apart");
    end = part.range.end;
  }
  run_whole_pipeline(memory.facts(), memory, budget);
  budget.check(input_bytes);
  return 0;
}
