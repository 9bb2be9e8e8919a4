// Bytes of an open file at an offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vmscan {

/// Reads up to buffer.size() bytes; fewer only at the end of the file and where it cannot be read.
std::size_t read_at(int fd, std::uint64_t offset, std::span<std::byte> buffer);

}  // namespace vmscan
