// Managed runtimes written by hand, as their sources lay them out: just enough of each that it is recognised.
#pragma once

#include <array>

#include "tests/support/fake_image.h"

namespace vmscan::tests {

/// CPython 3.11: the first two of three arenas are in use, the third entry of the table never was.
struct FakePython {
  static constexpr Address image = 0x400000, table = 0x900000;
  static constexpr std::uint64_t arena_bytes = 1 << 20, pool_bytes = 1 << 14, entry_bytes = 48;
  static constexpr Address arenas[] = {0x7f0000001000, 0x7f0000200000};

  static void add(FakeMemory& memory) {
    map_image(memory, image, 0x8000, "/usr/bin/python3.11", {{"PyObject_Malloc", 0x5000}});
    memory.put_word(image + 0x6000, table);
    memory.map(table, 0x1000, "[heap]");
    for (std::uint64_t i = 0; i < 2; ++i) {
      memory.map(arenas[i], 0x8000);
      memory.facts().mappings.back().range.end = arenas[i] + arena_bytes;
      const Address entry = table + i * entry_bytes, pool = (arenas[i] + pool_bytes - 1) / pool_bytes * pool_bytes;
      memory.put_word(entry, arenas[i]);
      memory.put_word(entry + 8, pool + pool_bytes);
      memory.put(entry + 16, 60, 4);
      memory.put(entry + 20, arenas[i] % pool_bytes == 0 ? 64 : 63, 4);
      memory.put(pool + 32, i, 4);
      memory.put(pool + 36, 3, 4);  // blocks of 64 bytes
      memory.put(pool + 44, pool_bytes - 64, 4);
    }
    memory.put(table + 2 * entry_bytes + 48, 0xffff, 8);  // behind the table
  }
};

/// V8 11.3 without a sandbox: an old and a young page, and one of code in a range of its own.
struct FakeV8 {
  static constexpr Address old_page = 0x20000040000, young_page = 0x20000100000, code_page = 0x7f5500000000;
  static constexpr Address objects = 0xa00000;  // Heap, allocator, allocator of code
  static constexpr std::uint64_t page_bytes = 0x40000, code_bytes = 0x8000000;

  static void add(FakeMemory& memory) {
    memory.map(objects, 0x1000);
    memory.put_word(objects + 0x208, code_page);
    memory.put_word(objects + 0x210, code_bytes);
    for (const auto& [page, flags] : {std::pair(old_page, 4), std::pair(young_page, 0x12), std::pair(code_page, 4)}) {
      memory.map(page, 0x2000);
      memory.facts().mappings.back().range.end = page + page_bytes;
      const std::array<std::uint64_t, 12> header{page_bytes,
                                                 static_cast<std::uint64_t>(flags),
                                                 objects,
                                                 page + 0x1148,
                                                 page + page_bytes,
                                                 0x1000,
                                                 0,
                                                 0x2000,
                                                 objects + 0x100,
                                                 page == code_page ? objects + 0x200 : objects + 0x180,
                                                 page,
                                                 page_bytes};
      for (std::size_t i = 0; i < header.size(); ++i) memory.put_word(page + 8 * i, header[i]);
    }
    memory.reserve(code_page + page_bytes, code_bytes - page_bytes);
  }
};

/// V8 in a sandbox: pages that hold their own numbers, in a cage of 4 GiB between guards.
struct FakeSandbox {
  static constexpr Address cage = 0x3f6500000000, guard = std::uint64_t{1} << 32;
  static constexpr std::uint64_t cage_bytes = std::uint64_t{4} << 30, page_bytes = 0x40000;

  static void add(FakeMemory& memory) {
    memory.reserve(cage - guard, guard + page_bytes);
    for (std::uint64_t number = 1; number <= 4; ++number) {
      const Address page = cage + number * page_bytes;
      memory.map(page, 0x1000);
      memory.facts().mappings.back().range.end = page + page_bytes;
      memory.put_word(page, number == 3 ? 0x12 : 4);
      memory.put_word(page + 8, number);
    }
    memory.reserve(cage + 5 * page_bytes, cage_bytes + guard - 5 * page_bytes);
  }
};

/// cppgc: two pages in a cage of 4 GiB.
struct FakeCppgc {
  static constexpr Address cage = 0x22400000000, heap = 0xb00008, space = 0xb00100;
  static constexpr std::uint64_t cage_bytes = std::uint64_t{4} << 30, page_bytes = 0x20000, first = 0x2000000;

  static void add(FakeMemory& memory) {
    memory.map(0xb00000, 0x1000);
    memory.put_word(space + 8, heap + 8);
    memory.reserve(cage, first);
    for (std::uint64_t i = 0; i < 2; ++i) {
      memory.map(cage + first + i * page_bytes, 0x1000);
      memory.facts().mappings.back().range.end = cage + first + (i + 1) * page_bytes;
      memory.put_word(cage + first + i * page_bytes, heap);
      memory.put_word(cage + first + i * page_bytes + 8, space);
    }
    memory.reserve(cage + first + 2 * page_bytes, cage_bytes - first - 2 * page_bytes);
  }
};

/// Go on amd64: two arenas, the table that leads to them, their metadata, and a chunk with a span of two pages.
struct FakeGo {
  static constexpr Address image = 0x500000, table = 0x7f6800000000, arena = 0xc000000000, metadata = 0xc00000;
  static constexpr std::uint64_t arena_bytes = 64 << 20, table_bytes = 32 << 20;
  static constexpr std::uint64_t metadata_step = 0x20000, before_spans = 0x1000, chunk_bytes = 256 << 10;
  static constexpr std::uint64_t metadata_bytes = before_spans + (64 << 10) + 0x1000;
  static constexpr Address chunk = 0xd00000, span = chunk + 0x100;
  static constexpr Address arena_entry = table + (arena + 0x800000000000) / arena_bytes * 8;

  static void add(FakeMemory& memory) {
    map_image(memory, image, 0x8000, "/srv/program", {});
    memory.put_word(image + 0x6000, table);
    memory.map(metadata, 2 * metadata_step);
    memory.map(chunk, chunk_bytes);
    memory.put_word(image + 0x6008, chunk);
    memory.put_word(span + 24, arena);
    memory.put_word(span + 32, 2);
    for (std::uint64_t i = 0; i < 2; ++i) memory.put_word(metadata + before_spans + 8 * i, span);
    memory.reserve(arena, 2 * arena_bytes);
    const Address page = arena_entry & ~Address{0xfff};
    memory.map(table, 0x1000);
    memory.reserve(table + 0x1000, page - table - 0x1000);
    memory.map(page, 0x1000);
    memory.reserve(page + 0x1000, table + table_bytes - page - 0x1000);
    memory.put_word(arena_entry, metadata);
    memory.put_word(arena_entry + 8, metadata + metadata_step);
  }
};

/// HotSpot: only the entries of its tables that tell the Java heap and the code cache.
struct FakeHotspot {
  static constexpr Address image = 0x600000, entries = image + 0x6000, texts = image + 0x7000,
                           variables = image + 0x5000;
  static constexpr Address universe = 0xd00000, heap = 0xf0000000, code = 0x7f7700000000;
  static constexpr std::uint64_t heap_bytes = 16 << 20, code_bytes = 4 << 20;

  static void add(FakeMemory& memory) {
    const char* names[] = {"gHotSpotVMStructs",
                           "gHotSpotVMStructEntryArrayStride",
                           "gHotSpotVMStructEntryTypeNameOffset",
                           "gHotSpotVMStructEntryFieldNameOffset",
                           "gHotSpotVMStructEntryIsStaticOffset",
                           "gHotSpotVMStructEntryOffsetOffset",
                           "gHotSpotVMStructEntryAddressOffset"};
    const std::uint64_t values[] = {entries, 48, 0, 8, 24, 32, 40};
    std::vector<std::pair<std::string, std::uint64_t>> exports;
    for (std::uint64_t i = 0; i < 7; ++i) exports.emplace_back(names[i], 0x5000 + 8 * i);
    map_image(memory, image, 0x8000, "/usr/lib/jvm/libjvm.so", exports);
    for (std::uint64_t i = 0; i < 7; ++i) memory.put_word(variables + 8 * i, values[i]);
    Address entry = entries, text = texts;
    const auto put_text = [&](const char* what) {
      const Address at = text;
      const std::span<const char> bytes(what, std::strlen(what) + 1);
      memory.fill(at, std::as_bytes(bytes));
      text += bytes.size();
      return at;
    };
    const auto put_entry = [&](const char* type, const char* field, bool is_static, std::uint64_t value) {
      memory.put_word(entry, put_text(type));
      memory.put_word(entry + 8, put_text(field));
      memory.put(entry + 24, is_static ? 1 : 0, 4);
      memory.put_word(entry + (is_static ? 40 : 32), value);
      entry += 48;
    };
    put_entry("Universe", "_collectedHeap", true, variables + 0x100);
    put_entry("CollectedHeap", "_reserved", false, 32);
    put_entry("MemRegion", "_start", false, 0);
    put_entry("MemRegion", "_word_size", false, 8);
    put_entry("CodeCache", "_low_bound", true, variables + 0x108);
    put_entry("CodeCache", "_high_bound", true, variables + 0x110);
    memory.put_word(variables + 0x100, universe);
    memory.put_word(variables + 0x108, code);
    memory.put_word(variables + 0x110, code + code_bytes);
    memory.map(universe, 0x1000);
    memory.put_word(universe + 32, heap);
    memory.put_word(universe + 40, heap_bytes / 8);
    memory.reserve(heap, heap_bytes);
    memory.reserve(code, code_bytes);
  }
};

}  // namespace vmscan::tests
