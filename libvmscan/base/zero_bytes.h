// Whether bytes hold anything.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

namespace vmscan {

inline bool all_zero(std::span<const std::byte> bytes) {
  // Equal to itself one byte on: as fast as memcmp.
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace vmscan
