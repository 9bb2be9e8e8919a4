// struct malloc_par (malloc/malloc.c) begins with trim_threshold, top_pad, mmap_threshold, arena_test, arena_max, each
// a word, from 2.35 on thp_pagesize, hp_pagesize and the int hp_flags, and then the ints n_mmaps, n_mmaps_max,
// max_n_mmaps, no_dyn_threshold. free() of a block with a mapping of its own that is larger than mmap_threshold, up to
// 32 MiB (on 32-bit systems 512 KiB), makes its size the new mmap_threshold, and twice that the new trim_threshold.
#include <array>

#include "libvmscan/owners/allocators/glibc/glibc_thresholds.h"

namespace vmscan {

Bytes raised_threshold(const TargetMemory& memory, Address counters) {
  constexpr std::uint64_t usual = 128 << 10;
  const std::size_t word = memory.word_bytes();
  const std::uint64_t highest = word == 8 ? std::uint64_t{32} << 20 : std::uint64_t{512} << 10;
  std::array<std::byte, 4 * 4> ints{};
  if (memory.read(counters, ints) != ints.size() || memory.half_at(ints, 12) != 0) return {};  // no_dyn_threshold
  for (const std::size_t before : {7 * word + 4, 5 * word}) {
    const auto trim = memory.word(counters - before), mmap = memory.word(counters - before + 2 * word);
    if (trim && mmap && *mmap > usual && *mmap <= highest && *trim == 2 * *mmap) return *mmap;
  }
  return {};
}

}  // namespace vmscan
