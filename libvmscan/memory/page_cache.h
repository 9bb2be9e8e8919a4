// Reads small structures that lie anywhere in a target, a page at a time, and only from pages that are in RAM.
#pragma once

#include <vector>

#include "libvmscan/memory/page_store.h"
#include "libvmscan/memory/target_memory.h"

namespace vmscan {

class PageCache {
 public:
  explicit PageCache(const TargetMemory& memory) : memory_(memory) {}

  const TargetMemory& memory() const { return memory_; }
  /// The `size` bytes at `address`; empty when they cannot be read, or lie in more than two pages. Valid up to the next
  /// call.
  std::span<const std::byte> at(Address address, std::size_t size);
  /// A word of the target.
  std::optional<std::uint64_t> word(Address address);
  std::optional<std::uint32_t> half(Address address);

 private:
  std::span<const std::byte> page(Address address);

  static constexpr std::uint32_t most_pages = 1 << 14;

  const TargetMemory& memory_;
  PageStore pages_{most_pages};
  std::vector<std::byte> page_, joined_;
};

/// Calls `see(address, bytes)` for pieces of what can be read of `range`, in order, until it returns false. Pieces
/// begin at multiples of 8 bytes. Small ones cost less where the first often decides.
inline constexpr std::uint64_t large_piece = 64 << 10, small_piece = 4 << 10;
template <class See>
bool for_each_piece(const TargetMemory& memory, Range range, See see, std::uint64_t piece_bytes = large_piece) {
  std::vector<std::byte> bytes;
  for (const Range& run : memory.readable(range))
    for (Address at = run.begin; at < run.end;) {
      bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(run.end - at, piece_bytes)));
      bytes.resize(memory.read_once(at, bytes));
      if (bytes.empty()) break;
      if (!see(at, std::span<const std::byte>(bytes))) return false;
      at += bytes.size();
    }
  return true;
}

/// Joins ranges that touch or overlap; the result is by address.
std::vector<Range> joined(std::vector<Range> ranges);

/// Bytes of the ranges that are in RAM, where that is known.
Bytes bytes_in_ram(const Facts& facts, const std::vector<Range>& ranges);

}  // namespace vmscan
