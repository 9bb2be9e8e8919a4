// Bytes that can be read anywhere: of a file that may be larger than memory, or of a buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/result.h"

namespace vmscan {

/// Reads up to buffer.size() bytes at an offset of the file; fewer only at its end.
using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<std::byte> buffer)>;

/// Fills the buffer from its beginning with what comes next; returns how many bytes, 0 only at the end.
using ReadNext = std::function<Result<std::size_t>(std::span<std::byte>)>;

/// Copies share the file, which is closed with the last of them. Reading is thread-safe.
struct FileBytes {
  std::uint64_t size = 0;
  ReadAt read;

  /// Whether all of `buffer` could be filled.
  bool read_whole(std::uint64_t offset, std::span<std::byte> buffer) const {
    return offset <= size && buffer.size() <= size - offset && read(offset, buffer) == buffer.size();
  }
};

/// Opens a regular file; anything else (a directory, a pipe, a device) is refused without waiting for it or changing
/// it. The file is read, never mapped: one that shrinks meanwhile ends early instead of ending this program.
/// Errors: NotFound, AccessDenied, Unsupported (no regular file), Io. The message names the file.
Result<FileBytes> open_file_bytes(const std::string& path);

/// The same for a path that somebody else gave: symbolic links on the way lead nowhere outside of the directory `root`
/// (empty: that of the system), at which absolute ones begin.
Result<FileBytes> open_file_below(const std::string& root, const std::string& path);

FileBytes bytes_of(std::vector<std::byte> content);

/// Whether opening what is there may do more than give bytes: /dev, /proc and /sys.
bool may_act(std::string_view path);

}  // namespace vmscan
