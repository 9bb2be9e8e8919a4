// Memory of a target that holds anything: looking for threads, signal stacks and heaps in it ends soon, and what they
// say adds up. The input is laid over a heap that is in order: records of 2 bytes place, 1 byte kind, and 8 bytes
// value; those of kind 255 make mappings long.
#include <algorithm>
#include <cstdint>

#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/owners/find_owners.h"
#include "libvmscan/owners/threads/thread_stacks.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/support/whole_pipeline.h"
#include "tests/support/fake_glibc.h"

using namespace vmscan;
using namespace vmscan::tests;
using tests::FakeGlibc;

namespace {

constexpr Address mapping = 0x200000, ld_data = 0x40000, code = 0x50000, stack = 0x300000;
constexpr std::size_t mapping_bytes = 0x10000, stack_bytes = 0x8000;

/// A thread on an alternate signal stack, in the upper half of its memory, with a signal frame of x86_64.
void add_signal_frame(tests::FakeMemory& memory) {
  memory.map(code, 0x1000, "/code");
  memory.facts().mappings.back().write = false;
  memory.facts().mappings.back().execute = true;
  memory.put_word(code, 0x00050f0000000fb8);  // mov $15, %eax; syscall
  memory.map(stack, stack_bytes);
  const Address frame = stack + 0x7008;
  memory.put_word(frame, code);
  memory.put_word(frame + 24, stack + stack_bytes / 2);
  memory.put_word(frame + 40, stack_bytes / 2);
  memory.put_word(frame + 168, mapping + 0x8000);
  memory.put_word(frame + 192, 0x33);
}

FakeGlibc intact() {
  FakeGlibc glibc(0x8000);
  const Address cache = glibc.chunk(0x290);
  for (int i = 0; i < 100; ++i) glibc.chunk(0x40 + 16 * static_cast<std::uint64_t>(i % 5));
  glibc.finish();
  glibc.put_counters(2, 0x4000);
  glibc.memory.put(cache + 16, 1, 2);
  glibc.memory.map(ld_data, 0x1000, "/lib/ld-linux-x86-64.so.2");
  glibc.memory.map(mapping, mapping_bytes);
  glibc.memory.put_word(mapping + 8, 0x2000 | 2);
  for (const std::uint32_t id : {1U, 2U})
    glibc.memory.facts().threads.push_back({.id = id, .name = {}, .stack_pointer = stack + 0x6000 + id});
  add_signal_frame(glibc.memory);
  glibc.memory.facts().target.pid = 1;
  return glibc;
}

/// Where a record is written: each area of the target in turn.
Address place(unsigned kind, std::uint64_t offset) {
  switch (kind % 6) {
    case 0:
      return FakeGlibc::data + offset % 0x2000;
    case 1:
      return FakeGlibc::arena + offset % 0x8a0;
    case 2:
      return ld_data + offset % 0x1000;
    case 3:
      return mapping + offset % mapping_bytes;
    case 5:
      return stack + 0x7000 + offset % 0x200;
    default:
      return FakeGlibc::heap + offset % 0x8000;
  }
}

/// Of three pages one is in swap.
void know_pages(Facts& facts) {
  constexpr Address page_bytes = 4096;
  facts.pages_known = facts.locked_known = true;
  std::sort(facts.mappings.begin(), facts.mappings.end(),
            [](const Mapping& a, const Mapping& b) { return a.range.begin < b.range.begin; });
  for (const Mapping& each : facts.mappings)
    for (Address at = each.range.begin; at < each.range.end && each.accessible(); at += page_bytes)
      facts.pages.append({at, std::min(at + page_bytes, each.range.end)},
                         at / page_bytes % 3 == 0 ? page::swapped : page::present | page::exclusive);
}

/// Whether both walks found the same: one of them was cut into stretches.
bool same(const HeapReport& a, const HeapReport& b) {
  const auto same_heap = [](const HeapTotals& x, const HeapTotals& y) {
    return x.live == y.live && x.cached == y.cached && x.free == y.free && x.largest_free == y.largest_free &&
           x.overhead == y.overhead && x.unread == y.unread && x.broken == y.broken;
  };
  const auto same_size = [](const SizeTotals& x, const SizeTotals& y) {
    return x.size == y.size && x.live == y.live && x.cached == y.cached && x.free == y.free;
  };
  const auto same_block = [](const HeapBlock& x, const HeapBlock& y) {
    return x.address == y.address && x.size == y.size && x.state == y.state;
  };
  return std::ranges::equal(a.heaps, b.heaps, same_heap) && std::ranges::equal(a.sizes, b.sizes, same_size) &&
         std::ranges::equal(a.blocks, b.blocks, same_block);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const FakeGlibc pristine = intact();
  const std::size_t input_bytes = size;
  Budget budget;
  FakeGlibc glibc = pristine;
  FakeMemory& memory = glibc.memory;
  if (size % 2 == 0)
    know_pages(memory.facts());
  else
    memory.facts().target.kind = TargetKind::Core;
  if (size > 0 && data[0] % 4 == 0) memory.facts().target.pointer_bits = 32;
  for (; size >= 11; data += 11, size -= 11) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value |= std::uint64_t{data[3 + i]} << (8 * i);
    if (data[2] == 0xff)
      memory.stretch(data[0], data[3]);
    else
      memory.put(place(data[2], data[0] + 256U * data[1]) & ~Address{3}, value, 8);
  }
  find_thread_stacks(memory.facts(), memory);
  find_owners(memory.facts(), memory, std::uint64_t{256} << 20);
  find_signal_stacks(memory.facts(), memory);
  HeapOptions options;
  options.trim = true;
  options.list_request = 40;
  options.types = true;
  options.most_blocks = 50;
  const auto report = walk_heaps(memory.facts(), memory, options);
  require(report.has_value(), "nothing was refused");
  require(memory.reads() < 3'000'000, "reading is bounded");
  options.stretch_bytes = 0x800;
  const auto in_stretches = walk_heaps(memory.facts(), memory, options);
  require(in_stretches && same(*report, *in_stretches), "a heap can be walked in stretches");
  run_whole_pipeline(memory.facts(), memory, budget);
  budget.check(input_bytes);
  return 0;
}
