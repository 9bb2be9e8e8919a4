#include <catch2/catch.hpp>

#include "libvmscan/owners/allocators/glibc/glibc_thresholds.h"
#include "tests/support/fake_memory.h"

using namespace vmscan;

namespace {

constexpr Address mp = 0x10000;

/// struct malloc_par of glibc 2.36 or, `old`, of 2.31, both of 64 bits.
struct Thresholds {
  tests::FakeMemory memory;
  Address counters;

  Thresholds(std::uint64_t mmap, std::uint64_t trim, bool old = false) : counters(mp + (old ? 40 : 60)) {
    memory.map(mp, 0x1000);
    memory.put_word(mp, trim);
    memory.put_word(mp + 8, 128 << 10);
    memory.put_word(mp + 16, mmap);
  }
  Bytes raised() { return raised_threshold(TargetMemory(memory.facts(), memory), counters); }
};

}  // namespace

TEST_CASE("one free of a large block raises both thresholds, in all versions") {
  constexpr std::uint64_t size = (20 << 20) + 4096;
  for (const bool old : {false, true}) CHECK(Thresholds(size, 2 * size, old).raised() == Bytes{size});
}

TEST_CASE("thresholds that malloc did not raise itself are not said to be raised") {
  CHECK_FALSE(Thresholds(128 << 10, 128 << 10).raised().known());  // as at the start
  CHECK_FALSE(Thresholds(128 << 10, 256 << 10).raised().known());
  CHECK_FALSE(Thresholds(1 << 20, 3 << 20).raised().known());
  CHECK_FALSE(Thresholds(std::uint64_t{64} << 20, std::uint64_t{128} << 20).raised().known());  // above 32 MiB
  Thresholds set(1 << 20, 2 << 20);
  set.memory.put(set.counters + 12, 1, 4);  // no_dyn_threshold: mallopt() was called
  CHECK_FALSE(set.raised().known());
  set.counters = 0;
  CHECK_FALSE(set.raised().known());
}
