// Bytes of an open file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libvmscan/base/file_bytes.h"

namespace vmscan {

/// Reads up to buffer.size() bytes; fewer only at the end of the file and where it cannot be read.
std::size_t read_at(int fd, std::uint64_t offset, std::span<std::byte> buffer);

/// Takes the descriptor over.
FileBytes bytes_of_descriptor(int fd, std::uint64_t size);

}  // namespace vmscan
