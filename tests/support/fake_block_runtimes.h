// Runtimes whose memory is blocks of an allocator of their own, written by hand: Mono, Ruby, LuaJIT, PartitionAlloc.
#pragma once

#include "tests/support/fake_image.h"

namespace vmscan::tests {

/// Mono 6.8: a list of four blocks, a young generation, a section of large objects.
struct FakeMono {
  static constexpr Address image = 0x700000, objects = 0xe00000, blocks = 0x7f2a24400000, nursery = 0x7f2a28000000;
  static constexpr Address section = 0x7f2a25200000;
  static constexpr std::uint64_t block_bytes = 16 << 10, nursery_bytes = 4 << 20, section_bytes = 1 << 20;

  static void add(FakeMemory& memory) {
    map_image(memory, image, 0x8000, "/usr/bin/mono-sgen", {{"mono_gc_get_heap_size", 0x5000}});
    memory.put_word(image + 0x6000, objects);
    memory.put_word(image + 0x6100, objects + 0x200);
    memory.put_word(image + 0x6200, section);
    memory.map(objects, 0x1000);
    memory.map(blocks, 4 * block_bytes);
    for (std::uint64_t i = 0; i < 4; ++i) memory.put_word(objects + 8 * i, blocks + i * block_bytes + i % 2);
    memory.map(nursery, 0x1000);
    memory.facts().mappings.back().range.end = nursery + nursery_bytes;
    memory.put_word(objects + 0x200, nursery);
    memory.put_word(objects + 0x208, nursery + nursery_bytes);
    memory.put_word(objects + 0x210, objects + 0x400);
    memory.put_word(objects + 0x228, nursery_bytes / 8192);
    memory.map(section, 0x1000);
    memory.facts().mappings.back().range.end = section + section_bytes;
    memory.put_word(section + 16, section + 24);
  }
};

/// CoreCLR 10: a reservation of eight regions, of which one holds small objects and one large ones; frozen objects
/// elsewhere; the collector's tables; code.
struct FakeCoreClr {
  static constexpr Address image = 0x940000, objects = 0x1100000, code = 0x7d0000000000, frozen = 0x7d1000000000;
  static constexpr Address tables = 0x7d2000000000, heap = 0x7e0000000000;
  static constexpr Address allocator = image + 0x6100, small = objects, large = objects + 0x100,
                           third = objects + 0x200;
  static constexpr std::uint64_t unit = 4 << 20, heap_bytes = 8 * unit, frozen_bytes = 1 << 20, table_bytes = 64 << 10;

  static void put_segment(FakeMemory& memory, Address place, Range range, std::uint64_t flags, Address next) {
    const Address begin = range.begin + 0x28;
    const std::uint64_t words[] = {begin + 0x100, range.begin + 0x1000, range.end, begin + 0x100, begin, flags, next};
    for (std::size_t i = 0; i < std::size(words); ++i) memory.put_word(place + 8 * i, words[i]);
  }

  static void map_part(FakeMemory& memory, Address begin, std::uint64_t size) {
    memory.map(begin, 0x1000);
    memory.facts().mappings.back().range.end = begin + size;
  }

  static void add(FakeMemory& memory) {
    map_image(memory, image, 0x8000, "/usr/share/dotnet/libcoreclr.so", {{"g_dacTable", 0x5000}});
    memory.put_word(image + 0x6000, small);
    memory.put_word(image + 0x6008, third);
    memory.put_word(image + 0x6010, tables);
    memory.map(objects, 0x1000);
    map_part(memory, heap, heap_bytes);
    map_part(memory, frozen, frozen_bytes);
    map_part(memory, tables, table_bytes);
    put_segment(memory, small, {heap, heap + unit}, 0, large);
    put_segment(memory, large, {heap + unit, heap + 2 * unit}, 8, 0);
    put_segment(memory, third, {frozen, frozen + frozen_bytes}, 1, small);
    const std::uint64_t words[] = {heap,
                                   heap + heap_bytes,
                                   heap + 2 * unit,
                                   heap + heap_bytes,
                                   0,
                                   unit,
                                   8 * unit,
                                   ~std::uint64_t{0},
                                   objects + 0x300,
                                   objects + 0x308,
                                   objects + 0x400,
                                   objects + 0x400};
    for (std::size_t i = 0; i < std::size(words); ++i) memory.put_word(allocator + 8 * i, words[i]);
    const std::uint64_t head[] = {1, table_bytes, 0, heap, heap + heap_bytes};
    for (std::size_t i = 0; i < std::size(head); ++i) memory.put_word(tables + 8 * i, head[i]);
    memory.map(code, 0x2000, "/memfd:doublemapper (deleted)");
    memory.facts().mappings.back().shared = memory.facts().mappings.back().execute = true;
  }
};

/// Ruby 3.1: five pages that lead to their descriptions and back.
struct FakeRuby {
  static constexpr Address image = 0x800000, objects = 0xf00000, pages = 0x7f6edd004000;
  static constexpr std::uint64_t page_bytes = 16 << 10, count = 5;

  static void add(FakeMemory& memory) {
    map_image(memory, image, 0x8000, "/usr/lib/libruby-3.1.so", {{"rb_gc_register_address", 0x5000}});
    memory.map(objects, 0x1000);
    memory.map(pages, count * page_bytes);
    for (std::uint64_t i = 0; i < count; ++i) {
      memory.put_word(pages + i * page_bytes, objects + 0x60 * i);
      memory.put(objects + 0x60 * i, 409U << 16 | 40, 4);
      memory.put_word(objects + 0x60 * i + 32, pages + i * page_bytes + 16);
    }
  }
};

/// LuaJIT 2.1: the first segment, with the state, a second one, and a block with a mapping of its own.
struct FakeLuajit {
  static constexpr Address image = 0x880000, first = 0x7fa290000000, second = 0x7fa290100000, block = 0x7fa290200000;
  static constexpr std::uint64_t segment_bytes = 128 << 10, block_bytes = 1 << 20;

  static void add(FakeMemory& memory) {
    map_image(memory, image, 0x8000, "/usr/bin/luajit", {{"luaJIT_setmode", 0x5000}});
    memory.map(first, segment_bytes);
    memory.map(second, segment_bytes);
    const Address record = first + segment_bytes - 48;
    memory.put_word(first + 0x358, second);
    memory.put_word(first + 0x360, segment_bytes);
    memory.put_word(first + 0x368, record);
    memory.put_word(record, first);
    memory.put_word(record + 8, segment_bytes);
    memory.map(block, block_bytes);
    memory.put_word(block, 1);
    memory.put_word(block + 8, (block_bytes - 32) | 2);
    memory.put_word(block + block_bytes - 24, 0xb);
  }
};

/// PartitionAlloc with metadata in a reservation of its own: three super pages in a pool of 1 GiB.
struct FakePartitionAlloc {
  static constexpr Address partition = 0x980000, pool = 0x145400000000, metadata = 0xe2b60000000;
  static constexpr Address first_page = metadata + 0x1000;  // behind a guard
  static constexpr std::uint64_t pool_bytes = 1 << 30, super_page_bytes = 2 << 20;

  static void add(FakeMemory& memory) {
    memory.map(partition, 0x1000);
    for (std::uint64_t i = 0; i < 3; ++i) {
      const Address page = first_page + i * super_page_bytes, super_page = pool + i * super_page_bytes;
      memory.reserve(page - 0x1000, 0x1000);
      memory.map(page, 0x1000);
      memory.put_word(page, partition);
      memory.put_word(page + 8, i < 2 ? page + super_page_bytes : 0);
      memory.put(page + 16, 0x20001, 4);
      memory.put_word(page + 32, super_page + 0x8000);
      memory.put_word(page + 48, partition + 0x138);
      memory.reserve(page + 0x1000, super_page_bytes - 0x2000);
      memory.map(super_page, 0x10000);
      memory.facts().mappings.back().range.end = super_page + super_page_bytes;
    }
    memory.reserve(metadata + 3 * super_page_bytes, pool_bytes - 3 * super_page_bytes);
    memory.reserve(pool + 3 * super_page_bytes, pool_bytes - 3 * super_page_bytes);
  }
};

}  // namespace vmscan::tests
