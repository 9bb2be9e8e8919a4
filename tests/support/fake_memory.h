// Memory made of bytes that a test puts down, as a MemoryReader and as facts.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "libvmscan/source/source.h"

namespace vmscan::tests {

class FakeMemory : public MemoryReader {
 public:
  explicit FakeMemory(unsigned pointer_bits = 64) { facts_.target.pointer_bits = pointer_bits; }

  Facts& facts() { return facts_; }
  std::size_t word_bytes() const { return facts_.target.pointer_bits == 32U ? 4 : 8; }

  /// Zeros, mapped read-write; `path` makes it the data of a file. Only the first `there` bytes can be read.
  void map(Address begin, std::size_t size, std::string path = {}, std::size_t there = ~std::size_t{0}) {
    Mapping mapping;
    mapping.range = {begin, begin + size};
    mapping.read = mapping.write = true;
    mapping.path = path;
    mapping.inode = path.empty() || path.starts_with('[') ? 0 : 77;
    facts_.mappings.push_back(mapping);
    bytes_[begin].resize(std::min(size, there));
  }
  /// Makes a mapping up to 2^bits bytes long, as far as there is room; it holds no more bytes than before.
  void stretch(std::size_t index, unsigned bits) {
    Range& range = facts_.mappings[index % facts_.mappings.size()].range;
    Address end = range.begin + (Address{1} << bits % 56);
    for (const Mapping& other : facts_.mappings)
      if (other.range.begin > range.begin) end = std::min(end, other.range.begin);
    range.end = std::max(range.end, end);
  }
  /// Address space that may not be touched.
  void reserve(Address begin, std::size_t size) { facts_.mappings.emplace_back().range = {begin, begin + size}; }
  void put(Address address, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      if (std::byte* at = find(address + i)) *at = static_cast<std::byte>(value >> (8 * i));
  }
  void put_word(Address address, std::uint64_t value) { put(address, value, word_bytes()); }
  void fill(Address address, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
      if (std::byte* at = find(address + i)) *at = bytes[i];
  }
  std::size_t reads() const { return reads_; }

  std::optional<FileBytes> file;  // behind every mapping of a file

 private:
  std::byte* find(Address address) {
    auto it = bytes_.upper_bound(address);
    if (it == bytes_.begin()) return nullptr;
    --it;
    return address - it->first < it->second.size() ? &it->second[address - it->first] : nullptr;
  }

  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override {
    ++reads_;
    auto it = bytes_.upper_bound(address);
    if (it == bytes_.begin()) return std::size_t{0};
    --it;
    const Address into = address - it->first;
    if (into >= it->second.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(buffer.size(), it->second.size() - into);
    std::memcpy(buffer.data(), it->second.data() + into, count);
    return count;
  }

  /// What it holds bytes of.
  Result<std::vector<Range>> do_present(std::span<const Range> ranges) const override {
    std::vector<Range> parts;
    for (const Range& wanted : ranges)
      for (const auto& [begin, bytes] : bytes_)
        if (const Range part = wanted.intersect({begin, begin + bytes.size()}); !part.empty()) parts.push_back(part);
    return parts;
  }

  Result<std::vector<Range>> do_stored(std::span<const Range> ranges) const override { return do_present(ranges); }

  std::optional<FileBytes> do_mapped_file(const Mapping& mapping) const override {
    return mapping.inode != 0 ? file : std::nullopt;
  }

  Facts facts_;
  std::map<Address, std::vector<std::byte>> bytes_;
  mutable std::size_t reads_ = 0;
};

}  // namespace vmscan::tests
