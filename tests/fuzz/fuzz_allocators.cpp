// Heaps of jemalloc, mimalloc, mallocng and tcmalloc whose structures hold anything: looking at them ends soon, and
// what they say adds up. The input is laid over heaps that are in order: records of 2 bytes place, 1 byte kind, 8 bytes
// value; those of kind 255 make mappings long.
#include <algorithm>
#include <cstdint>

#include "libvmscan/owners/find_owners.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/support/whole_pipeline.h"
#include "tests/support/fake_allocators.h"
#include "tests/support/fake_owners.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

/// `tall`: jemalloc as built for addresses of 57 bits, and without statistics.
FakeMemory intact(bool tall) {
  FakeMemory memory;
  FakeJemalloc jemalloc(memory, tall);
  const Address slab = jemalloc.extent(1, 8, 0, true, 2, 0b101);
  jemalloc.extent(3, 7, 0, true);
  jemalloc.extent(8, 35, 0, false);
  jemalloc.extent(4, 232, 1, false);
  const Address cached[] = {slab + 128, slab + 384};
  jemalloc.cache(8, cached, !tall);
  FakeMimalloc mimalloc(memory);
  const Address small = mimalloc.page(1, 64, 1018, 100, 90);
  mimalloc.page(40, 40 * 0x10000, 1, 1, 1);
  mimalloc.finish();
  memory.put_word(mimalloc.place(1) + 16, small + 64 * 3);
  memory.put_word(mimalloc.place(1) + 40, (small + 64 * 5) | 1);
  const FakeMimalloc3 arenas(memory);
  FakeMallocng musl(memory);
  const Address outer = musl.group(7, 15, 0b1000000, 0b0100000, 1), slot = outer + 16 + 496;
  memory.put(slot - 3, 1 | 6 << 5, 1);
  memory.put(slot - 2, 31, 2);
  musl.group(9, 2, 0b111, 0, 0, slot);
  musl.group(1, 63, 0, 0, 5);
  FakeTcmalloc tcmalloc(memory);
  for (std::uint64_t i = 1; i < 10; ++i) tcmalloc.span(1 + i % 2, i, 10);
  tcmalloc.span(40, 0, 1);
  tcmalloc.span(10, 0, 0, 1);
  tcmalloc.cache(3, 7);
  FakeLoader::add(memory);
  return memory;
}

/// All of it is in RAM but the middle of every second mapping.
void make_pages_known(Facts& facts) {
  facts.pages_known = true;
  std::sort(facts.mappings.begin(), facts.mappings.end(),
            [](const Mapping& a, const Mapping& b) { return a.range.begin < b.range.begin; });
  for (std::size_t i = 0; i < facts.mappings.size(); ++i) {
    const Range all = facts.mappings[i].range;
    const Address middle = all.begin + all.size() / 2 / 4096 * 4096;
    if (i % 2 == 0 || middle == all.begin || middle + 4096 >= all.end) {
      facts.pages.append(all, page::present);
      continue;
    }
    facts.pages.append({all.begin, middle}, page::present);
    facts.pages.append({middle + 4096, all.end}, page::present);
  }
}

/// Where a record is written: each structure in turn.
Address place(unsigned kind, std::uint64_t offset) {
  constexpr Address begins[] = {FakeJemalloc::data,
                                FakeJemalloc::base,
                                FakeJemalloc::leaf,
                                FakeJemalloc::tall_leaf,
                                FakeJemalloc::thread,
                                FakeMimalloc::data,
                                FakeMimalloc::segment,
                                FakeMimalloc3::data,
                                FakeMimalloc3::arena,
                                FakeMallocng::data,
                                FakeMallocng::area,
                                FakeMallocng::groups,
                                FakeTcmalloc::data,
                                FakeTcmalloc::leaf,
                                FakeTcmalloc::span_structs,
                                FakeTcmalloc::thread,
                                FakeLoader::data,
                                FakeLoader::first,
                                FakeLoader::second & ~Address{0xfff},
                                FakeLoader::pthread & ~Address{0xfff}};
  return begins[kind % std::size(begins)] + offset % 0x1000;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const FakeMemory pristine[] = {intact(false), intact(true)};
  const std::size_t input_bytes = size;
  Budget budget;
  FakeMemory memory = pristine[size % 11 >= 6 ? 1 : 0];
  if (size % 2 == 1)
    make_pages_known(memory.facts());
  else
    memory.facts().target.kind = TargetKind::Core;
  for (; size >= 11; data += 11, size -= 11) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value |= std::uint64_t{data[3 + i]} << (8 * i);
    if (data[2] == 0xff)
      memory.stretch(data[0], data[3]);
    else
      memory.put(place(data[2], data[0] + 256U * data[1]) & ~Address{3}, value, 8);
  }
  find_owners(memory.facts(), memory, std::uint64_t{256} << 20);
  require(memory.reads() < 3'000'000, "reading is bounded");
  run_whole_pipeline(memory.facts(), memory, budget);
  budget.check(input_bytes);
  return 0;
}
