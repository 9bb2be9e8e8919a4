// Numbers in foreign bytes: little-endian, at any alignment, bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace vmscan {

/// The unsigned number in `width` (1 to 8) bytes at `offset`; nothing when the bytes end before it does.
inline std::optional<std::uint64_t> number_at(std::span<const std::byte> bytes, std::uint64_t offset,
                                              std::size_t width) {
  if (offset > bytes.size() || width > bytes.size() - offset) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = width; i-- > 0;)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[static_cast<std::size_t>(offset) + i]);
  return value;
}

inline std::optional<std::uint32_t> number32_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  const auto value = number_at(bytes, offset, 4);
  return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

}  // namespace vmscan
