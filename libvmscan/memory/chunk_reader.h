// Reads headers of blocks one after the other: through one large window over what is in RAM. While one window is
// looked at, another thread reads the next.
#pragma once

#include <algorithm>
#include <future>
#include <vector>

#include "libvmscan/memory/target_memory.h"

namespace vmscan {

class ChunkReader {
 public:
  enum class Ahead : bool { No, Yes };
  /// `range`: what will be asked for, in rising order for speed.
  ChunkReader(const TargetMemory& memory, Range range) : ChunkReader(memory, range, range.end, Ahead::Yes) {}
  /// Little of what will be asked for lies behind `near`. `Ahead::No` where all processors have work.
  ChunkReader(const TargetMemory& memory, Range range, Address near, Ahead ahead);

  /// `size` bytes (at most 64) at `address`; null when they cannot be read: see TargetMemory::read(). Valid up to the
  /// next call.
  const std::byte* at(Address address, std::size_t size) {
    const std::byte* bytes = inside(address, size);
    return bytes != nullptr ? bytes : fill(address, size, &TargetMemory::read);
  }
  /// The same for what the target must have touched: see TargetMemory::read_touched_since().
  const std::byte* at_touched_since(Address address, std::size_t size) {
    const std::byte* bytes = inside(address, size);
    return bytes != nullptr ? bytes : fill(address, size, &TargetMemory::read_touched_since);
  }
  /// The same where it costs no reading, and `size` may be anything; otherwise null.
  const std::byte* inside(Address address, std::size_t size) const {
    const Address into = address - window_.begin;
    return address >= window_.begin && into < window_.filled && size <= window_.filled - into
               ? window_.bytes.data() + into
               : nullptr;
  }
  /// Brings what lies within the next KiB behind `address` near, if it has been read: for those who go through all of
  /// it.
  void hurry(Address address) {
    constexpr std::size_t line = 64, ahead = 1 << 10;
    const Address into = address - window_.begin;
    if (into >= window_.filled) return;
    const std::size_t end = std::min<std::size_t>(window_.filled, into + ahead);
    for (near_ = std::max<std::size_t>(near_, into); near_ < end; near_ += line)
      __builtin_prefetch(window_.bytes.data() + near_);
  }

 private:
  struct Window {
    Address begin = 0;
    std::size_t filled = 0;
    std::vector<std::byte> bytes = {};
  };

  using Read = std::size_t (TargetMemory::*)(Address, std::span<std::byte>) const;
  const std::byte* fill(Address address, std::size_t size, Read read_alone);
  bool take_next(Address address, std::size_t size);
  void read_ahead();
  std::uint64_t in_ram_from(Address address) const;
  void read(Window& window, Address begin, std::uint64_t size, Read how) const;

  const TargetMemory& memory_;
  Range range_;
  bool reads_ahead_;
  std::vector<Range> in_ram_;  // where windows may lie
  Window window_, next_;
  std::size_t near_ = 0;       // of window_: how far hurry() came
  std::future<void> reading_;  // of next_; the last member: it ends first
};

}  // namespace vmscan
