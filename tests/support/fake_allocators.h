// Heaps of other allocators than glibc's written by hand: offsets as gdb's ptype /o prints them for builds with debug
// information of jemalloc 5.3.0, mimalloc 2.0.9, gperftools 2.10 and musl 1.2.3 on x86_64.
#pragma once

#include "tests/support/fake_memory.h"

namespace vmscan::tests {

/// One arena with extents of a page or more, all in the first MiB behind 1 GiB.
struct FakeJemalloc {
  static constexpr Address data = 0x10000000, root = data + 0x100, base = 0x20000000, leaf = base + 0x1000,
                           edatas = base + 0x400, extents = 0x40000000, arena = base + 0xc00;
  static constexpr std::size_t metadata_bytes = 4 << 20;
  static constexpr Address thread = 0x30000000;             // its cache, and what that cached
  static constexpr Address tall_leaf = leaf + (256 << 10);  // behind the node

  FakeMemory& memory;
  bool tall;
  Address next_page = extents, next_edata = edatas;

  /// `for_57_bits`: as built for addresses of so many, with a tree of three levels.
  explicit FakeJemalloc(FakeMemory& where, bool for_57_bits = false) : memory(where), tall(for_57_bits) {
    memory.map(data, (tall ? 256 << 10 : 2 << 20) + 0x1000, "/lib/libjemalloc.so.2", 0x1000);
    memory.map(base, metadata_bytes, {}, tall ? 0x42000 : 0x4000);
    memory.map(extents, 1 << 20, {}, 0x1000);
    memory.map(thread, 0x2000);
    memory.put_word(root + (tall ? extents >> 42 : extents >> 30) * 8, leaf);
    if (tall) memory.put_word(leaf + (extents >> 27) * 8, tall_leaf);
    memory.put_word(base, metadata_bytes);
    memory.put_word(base + 24, base + 0x300000);  // the unused end
    memory.put_word(base + 32, metadata_bytes - 0x300000);
  }

  /// `state`: 0 active, 1 dirty, 3 retained. Returns the address of its first page.
  Address extent(std::uint64_t pages, std::uint64_t size_class, std::uint64_t state, bool slab, std::uint64_t free = 0,
                 std::uint64_t free_map = 0) {
    const Address begin = next_page, edata = next_edata;
    next_page += pages * 0x1000;
    next_edata += 128;
    memory.put_word(edata, (slab ? 1U << 12 : 0U) | state << 17 | size_class << 20 | free << 28);
    memory.put_word(edata + 8, begin);
    memory.put_word(edata + 16, pages * 0x1000);
    memory.put_word(edata + 64, free_map);
    for (std::uint64_t i = 0; i < pages; ++i)
      if (slab || i == 0 || i + 1 == pages) put_entry((begin - extents) / 0x1000 + i, edata, size_class, slab);
    return begin;
  }

  void put_entry(std::uint64_t page, Address edata, std::uint64_t size_class, bool slab) {
    if (!tall) return memory.put_word(leaf + 8 * page, size_class << 48 | edata | (slab ? 1 : 0));
    memory.put_word(tall_leaf + 16 * page, edata);
    memory.put(tall_leaf + 16 * page + 8, size_class << 5 | (slab ? 1 : 0), 4);
  }

  /// A thread that caches `regions` of a size class: tcache_slow_t, tcache_t and the stack of one cache_bin_t. Without
  /// statistics no ring leads to it.
  void cache(std::uint32_t size_class, std::span<const Address> regions, bool statistics = true) {
    const Address bins = thread + 0x408, bin = bins + 24 * size_class, stack = thread + 0x1000;
    if (statistics) {
      memory.put_word(arena + 0x40, thread);
      memory.put_word(thread, thread);  // the ring
      memory.put_word(thread + 32, bins);
    } else {
      Thread& owner = memory.facts().threads.emplace_back();
      owner.id = 1;
      owner.control_block = thread + 0x10000;
      memory.put_word(thread + 184, bins - 8);
    }
    memory.put_word(thread + 40, arena);
    memory.put_word(bins - 8, thread);
    memory.put_word(bin, stack + 8 * (20 - regions.size()));
    memory.put(bin + 18, stack & 0xffff, 2);
    memory.put(bin + 20, (stack + 8 * 20) & 0xffff, 2);
    for (std::size_t i = 0; i < regions.size(); ++i) memory.put_word(stack + 8 * (20 - regions.size() + i), regions[i]);
  }
};

/// mimalloc 3: an arena of 64 MiB, and the subprocess that it belongs to.
struct FakeMimalloc3 {
  static constexpr Address data = 0x58000000, subprocess = data + 0x100, arena = 0x5c0000000;
  static constexpr std::size_t bytes = 64 << 20;

  explicit FakeMimalloc3(FakeMemory& memory) {
    memory.map(data, 0x1000, "/srv/addon.node");
    memory.map(arena, bytes, {}, 0x1000);
    memory.put_word(subprocess + 0x20, arena);
    const std::uint64_t words[] = {arena, bytes, 0x1010000000004, subprocess, 0, bytes >> 16, 5};
    for (std::size_t i = 0; i < std::size(words); ++i) memory.put_word(arena + 8 * i, words[i]);
  }
};

/// One segment of 32 MiB.
struct FakeMimalloc {
  static constexpr Address data = 0x50000000, segment = 0x62000000;
  static constexpr std::uint64_t key = 0x123456789abcdef1;
  static constexpr std::size_t slices = 0x110, slice_bytes = 0x10000, page_struct = 80;

  FakeMemory& memory;
  std::uint64_t next_slice = 0;

  explicit FakeMimalloc(FakeMemory& where) : memory(where) {
    memory.map(data, 0x1000, "/lib/libmimalloc.so.2.0");
    memory.map(segment, 32 << 20, {}, 0x22000);
    memory.put_word(data + 0x80, key);
    const Address tail = segment + slices - 40;
    memory.put_word(tail - 8, segment ^ key);
    memory.put_word(tail, 512);
    memory.put_word(tail + 8, 1);
    memory.put_word(tail + 24, 512);
    memory.put_word(tail + 32, 0x7f0000000740);
    page(1, 0, 0, 0, 0);
  }

  Address place(std::uint64_t slice) const { return segment + slices + slice * page_struct; }
  /// The next page; free slices when it has no blocks. Returns where its blocks begin.
  Address page(std::uint64_t count, std::uint64_t block_size, std::uint64_t reserved, std::uint64_t capacity,
               std::uint64_t used) {
    const Address at = place(next_slice);
    const Address begin = segment + next_slice * slice_bytes;
    memory.put(at, count, 4);
    memory.put(at + 10, capacity, 2);
    memory.put(at + 12, reserved, 2);
    memory.put(at + 24, used, 4);
    memory.put(at + 28, block_size, 4);
    next_slice += count;
    return begin + (block_size <= 1024 ? 384 : 0);
  }
  void finish() { page(512 - next_slice, 0, 0, 0, 0); }
};

/// Groups of slots, each in a mapping of its own.
struct FakeMallocng {
  static constexpr Address data = 0x70000000, area = 0x71000000, groups = 0x72000000;
  static constexpr std::uint64_t secret = 0xfeedfacecafebeef;

  FakeMemory& memory;
  Address next_meta = area + 24, next_group = groups;

  explicit FakeMallocng(FakeMemory& where) : memory(where) {
    memory.map(data, 0x1000, "/lib/ld-musl-x86_64.so.1");
    memory.map(area, 0x1000);
    memory.map(groups, 0x10000);
    memory.put_word(data + 0x9c0, secret);
    memory.put(data + 0x9c8, 1, 4);
    memory.put_word(data + 0x9c0 + 56, area);
    memory.put_word(data + 0x9c0 + 64, area);
    memory.put_word(area, secret);
    memory.put(area + 16, 101, 4);
  }

  /// `at`: within a slot of another group; 0: in a mapping of `pages`. Returns its address.
  Address group(std::uint64_t slots, std::uint64_t size_class, std::uint32_t available, std::uint32_t freed,
                std::uint64_t pages, Address at = 0) {
    const Address meta = next_meta, begin = at != 0 ? at : next_group;
    next_meta += 40;
    next_group += pages * 0x1000;
    memory.put_word(meta + 16, begin);
    memory.put(meta + 24, available, 4);
    memory.put(meta + 28, freed, 4);
    memory.put_word(meta + 32, (slots - 1) | 1 << 5 | size_class << 6 | pages << 12);
    memory.put_word(begin, meta);
    return begin;
  }
};

/// Spans in 2 MiB behind 2 GiB, which has the second leaf of the page map.
struct FakeTcmalloc {
  static constexpr Address data = 0x11000000, root = data + 0x100, sizes = data + 0x800, leaf = 0x22000000,
                           span_structs = 0x23000000, spans = 0x80000000, thread = 0x24000000;

  FakeMemory& memory;
  Address next_span = span_structs, next_page = spans;

  explicit FakeTcmalloc(FakeMemory& where) : memory(where) {
    memory.map(data, (1 << 20) + 0x1000, "/lib/libtcmalloc_minimal.so.4", 0x1000);
    memory.map(leaf, 2 << 20, {}, 0x1000);
    memory.map(span_structs, 0x1000);
    memory.map(spans, 2 << 20, {}, 0x1000);
    memory.map(thread, 0x2000);
    memory.put_word(root + 8, leaf);
    for (std::uint32_t i = 0; i < 20; ++i) memory.put(sizes + 4 * i, size(i), 4);
  }

  static std::uint32_t size(std::uint32_t size_class) {
    return size_class < 2 ? 8 * size_class : size_class < 19 ? 16 * (size_class - 1) : 256 << 10;
  }
  /// `location`: 0 in use, 1 free, 2 returned. Returns its address.
  Address span(std::uint64_t pages, std::uint64_t size_class, std::uint64_t used, std::uint64_t location = 0) {
    const Address begin = next_page;
    memory.put_word(next_span, begin >> 13);
    memory.put_word(next_span + 8, pages);
    memory.put_word(next_span + 40, used | size_class << 16 | location << 24);
    for (std::uint64_t i = 0; i < pages; ++i)
      if (size_class != 0 || i == 0 || i + 1 == pages)
        memory.put_word(leaf + 8 * ((begin - spans) / 0x2000 + i), next_span);
    next_span += 48;
    next_page += pages * 0x2000;
    return begin;
  }
  void cache(std::uint32_t size_class, std::uint32_t length) {
    memory.put_word(data + 0x40, thread);
    for (std::uint32_t i = 1; i < 20; ++i) memory.put(thread + 32 * i + 24, size(i), 4);
    memory.put(thread + 32 * size_class + 8, length, 4);
  }
};

}  // namespace vmscan::tests
