// Reads headers of blocks one after the other: through one large window over what is in RAM.
#pragma once

#include <vector>

#include "libvmscan/source/target_memory.h"

namespace vmscan {

class ChunkReader {
 public:
  /// `range`: what will be asked for, in rising order for speed.
  ChunkReader(const TargetMemory& memory, Range range);

  /// `size` bytes at `address`; null when they cannot be read. Valid up to the next call.
  const std::byte* at(Address address, std::size_t size) {
    const std::byte* bytes = inside(address, size);
    return bytes != nullptr ? bytes : fill(address, size);
  }
  /// The same where it costs no reading; otherwise null.
  const std::byte* inside(Address address, std::size_t size) const {
    const Address into = address - begin_;
    return address >= begin_ && into < filled_ && size <= filled_ - into ? window_.data() + into : nullptr;
  }

 private:
  const std::byte* fill(Address address, std::size_t size);

  const TargetMemory& memory_;
  Range range_;
  std::vector<Range> in_ram_;
  std::vector<std::byte> window_;
  Address begin_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace vmscan
