// Memory with an owner beside heaps of managed runtimes, written by hand as the sources lay it out.
#pragma once

#include "tests/support/fake_runtimes.h"

namespace vmscan::tests {

/// V8's pointer tables beside its sandbox: one with entries of 8 bytes whose second segment is all in use, and one with
/// entries of 16 bytes, in one reservation.
struct FakeTables {
  static constexpr Address external = 0x7f3664fb0000, functions = 0x7f3684fb0000, end = 0x7f36a4fb0000;
  static constexpr std::uint64_t segment_bytes = 64 << 10;

  static void add(FakeMemory& memory) {
    FakeSandbox::add(memory);
    memory.map(external, 3 * segment_bytes);
    memory.reserve(external + 3 * segment_bytes, functions - external - 3 * segment_bytes);
    memory.map(functions, segment_bytes);
    memory.reserve(functions + segment_bytes, end - functions - segment_bytes);
    for (const std::uint64_t segment : {0, 2})
      put_free(memory, external, external + segment * segment_bytes, 8, 0x00fe000000000000);
    for (Address at = external + segment_bytes; at < external + 2 * segment_bytes; at += 8)
      memory.put_word(at, 0x00060d4c002c602c);
    put_free(memory, functions, functions, 16, 0xffff000000000000);
  }

  /// The upper half of a segment is free: each entry leads to the next, and the last one nowhere.
  static void put_free(FakeMemory& memory, Address table, Address segment, std::uint64_t entry, std::uint64_t tag) {
    for (Address at = segment + segment_bytes / 2; at < segment + segment_bytes; at += entry) {
      const bool last = at + entry == segment + segment_bytes;
      memory.put_word(at, tag | (last ? 0 : (at - table) / entry + 1));
    }
  }
};

/// PHP 8.2: a ring of two chunks, the heap in the first one, and a large block.
struct FakePhp {
  static constexpr std::uint64_t chunk_bytes = 2 << 20;
  static constexpr Address first = 0x7f0010000000, second = 0x7f0010800000, large = 0x7f0010a00000;
  static constexpr Address heap = first + 64, node = second + 0x3000;
  static constexpr std::uint64_t large_bytes = 0x501000;

  static void add(FakeMemory& memory) {
    for (const Address chunk : {first, second}) {
      memory.map(chunk, chunk_bytes, {}, 0x4000);
      memory.put_word(chunk, heap);
      memory.put_word(chunk + 8, chunk == first ? second : first);
      memory.put_word(chunk + 16, chunk == first ? second : first);
      memory.put(chunk + 24, 100, 4);
      memory.put(chunk + 28, 300, 4);
      memory.put(chunk + 480, 0xff, 8);
      memory.put(chunk + 544, 0x40000001, 4);
    }
    memory.map(large, large_bytes, {}, 0x1000);
    memory.put_word(heap + 296, node);
    memory.put_word(heap + 328, first);
    memory.put(heap + 344, 2, 4);
    memory.put_word(node, large);
    memory.put_word(node + 8, large_bytes);
  }
};

/// glibc's ld.so: link_maps of three objects, the last one from malloc, and its list of the first two; an image ends
/// where one of the mappings begins.
struct FakeLoader {
  static constexpr Address data = 0x7fa60002a000, first = 0x7fa600031000, second = 0x7fa600020800;
  static constexpr Address dynamic = 0x5500000004a0, foreign = 0x7fa600200000, dtv = 0x7fa6000324a0;
  static constexpr Address pthread = 0x7fa600040740, tls = 0x7fa600040700, list = 0x7fa600031800;
  static constexpr Address list_place = data + 0x80, dtv_place = data + 0xc0;

  static void add(FakeMemory& memory) {
    memory.map(data, 0x1000, "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    memory.put_word(data + 0x40, first + 0x10);
    memory.map(0x7fa600020000, 0x2000);  // of the second object
    memory.map(0x7fa600030000, 0x4000);  // of the first one, which begins in its second page
    memory.map(0x7fa600040000, 0x2000);
    memory.map(0x550000000000, 0x1000, "[heap]");
    memory.map(foreign, 0x2000);  // of the program
    const Address objects[] = {first + 0x10, second, dynamic};
    for (std::size_t i = 0; i < 3; ++i) {
      memory.put_word(objects[i] + 24, i < 2 ? objects[i + 1] : 0);
      memory.put_word(objects[i] + 32, i > 0 ? objects[i - 1] : 0);
      memory.put_word(objects[i] + 40, objects[i]);
    }
    memory.put_word(second + 0x60, foreign);  // its image ends there
    memory.put_word(list_place, list);
    memory.put_word(list_place + 8, 2);
    for (std::size_t i = 0; i < 2; ++i) memory.put_word(list + 8 * i, objects[i]);
    memory.put_word(dtv_place, dtv);
    memory.facts().target.pid = 42;
    Thread thread;
    thread.id = 42;
    thread.control_block = pthread;
    memory.facts().threads.push_back(thread);
    for (const std::uint64_t i : {0, 2}) memory.put_word(pthread + 8 * i, pthread);
    memory.put_word(pthread + 8, dtv);
    memory.put_word(dtv - 16, 1);
    memory.put_word(dtv + 16, tls);
  }
};

}  // namespace vmscan::tests
