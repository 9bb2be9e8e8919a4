// A heap of glibc 2.36 on x86_64 written by hand: main arena in libc's data, chunks in a brk heap.
#pragma once

#include "tests/support/fake_memory.h"

namespace vmscan::tests {

struct FakeGlibc {
  // Offsets of malloc_state as gdb prints them for Debian 12's libc with debug symbols.
  static constexpr Address data = 0x10000, arena = data + 0xc60, heap = 0x555555701000;
  static constexpr std::uint64_t fastbins = 0x10, top = 0x60, bins = 0x70, next = 0x870, system_mem = 0x888;
  static constexpr std::uint64_t in_use = 1;

  FakeMemory memory;
  Address at = heap;

  explicit FakeGlibc(std::size_t heap_bytes = 0x21000) : size(heap_bytes) {
    memory.facts().target.executable = "/program";
    memory.map(data, 0x2000, "/usr/lib/libc.so.6");
    memory.map(heap, heap_bytes, "[heap]");
    for (std::uint64_t i = 0; i < 127; ++i) {
      const Address bin = arena + bins + 16 * i;
      memory.put_word(bin, bin - 16);
      memory.put_word(bin + 8, bin - 16);
    }
    memory.put_word(arena + next, arena);
    memory.put_word(arena + system_mem, heap_bytes);
    put_counters(0, 0);
  }

  /// struct malloc_par: arena_test, then n_mmaps … sbrk_base.
  void put_counters(std::uint32_t blocks, std::uint64_t bytes) {
    const Address counters = data + 0x104;
    memory.put_word(counters - 4 - 32, 8);
    memory.put(counters, blocks, 4);
    memory.put(counters + 4, 65536, 4);
    memory.put(counters + 8, blocks, 4);
    memory.put_word(counters + 20, bytes);
    memory.put_word(counters + 28, bytes);
    memory.put_word(counters + 36, heap);
  }

  /// One more chunk; returns its address. `flags` are those of its own header: whether the chunk before is in use.
  Address chunk(std::uint64_t bytes, std::uint64_t flags = in_use) {
    const Address here = at;
    memory.put_word(here + 8, bytes | flags);
    at += bytes;
    return here;
  }
  void finish(std::uint64_t flags = in_use) {
    memory.put_word(arena + top, at);
    memory.put_word(at + 8, (heap + size - at) | flags);
  }
  void link(Address position, Address target) { memory.put_word(position, target ^ (position >> 12)); }

  std::size_t size;
};

}  // namespace vmscan::tests
