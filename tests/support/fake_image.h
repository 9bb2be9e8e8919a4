// A loaded ELF image that exports symbols, written by hand into a FakeMemory.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_memory.h"

namespace vmscan::tests {

/// Maps one readable, writable and executable segment of `size` bytes (at least 0x8000) at `base`: its tables lie in
/// the first 0x4000 bytes, what is behind them is the test's. `exports` are names and offsets from `base`.
inline void map_image(FakeMemory& memory, Address base, std::size_t size, const std::string& path,
                      const std::vector<std::pair<std::string, std::uint64_t>>& exports) {
  constexpr Address dynamic = 0x100, hashes = 0x200, symbols = 0x1000, names = 0x3000;
  const std::size_t word = memory.word_bytes(), symbol_bytes = word == 8 ? 24 : 16;
  memory.map(base, size, path);
  Mapping& mapping = memory.facts().mappings.back();
  mapping.execute = true;
  mapping.inode = base >> 12;
  ElfImage image;
  image.segments.push_back({0, 0, size, size, true, true, true});
  image.dynamic = Range{dynamic, dynamic + 10 * word};
  image.pointer_bits = memory.facts().target.pointer_bits.value_or(64);
  memory.facts().images.emplace(key_of(mapping), image);

  std::uint64_t name = 1, index = 1;
  const std::uint64_t count = exports.size() + 1;
  memory.put(base + hashes, 1, 4);  // one bucket, so every symbol is in its chain
  memory.put(base + hashes + 4, count, 4);
  memory.put(base + hashes + 8, count > 1 ? 1 : 0, 4);
  for (const auto& [text, offset] : exports) {
    const Address symbol = base + symbols + index * symbol_bytes;
    memory.put(symbol, name, 4);
    memory.put(symbol + (word == 8 ? 4 : 12), 0x11, 1);
    memory.put(symbol + (word == 8 ? 6 : 14), 5, 2);
    memory.put_word(symbol + (word == 8 ? 8 : 4), offset);
    memory.fill(base + names + name, std::as_bytes(std::span(text.data(), text.size())));
    memory.put(base + hashes + 12 + 4 * index, index + 1 < count ? index + 1 : 0, 4);
    name += text.size() + 1;
    ++index;
  }
  const std::uint64_t entries[][2] = {{6, symbols}, {5, names}, {10, name}, {4, hashes}, {0, 0}};
  Address at = base + dynamic;
  for (const auto& [tag, value] : entries) {
    memory.put_word(at, tag);
    memory.put_word(at + word, value);
    at += 2 * word;
  }
}

}  // namespace vmscan::tests
