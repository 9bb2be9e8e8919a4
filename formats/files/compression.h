// Files compressed with zstd or gzip: read in full below a limit, and zstd written frame by frame.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/model/target.h"

namespace vmscan::formats {

enum class Compression { None, Zstd, Gzip };

/// By the magic number: RFC 8878 section 3.1 (skippable frames too), RFC 1952 section 2.3.1.
Compression compression_of(std::string_view first_bytes);

/// Bytes that a compressed file may unpack to: snapshots of the largest processes take a few hundred MB.
inline constexpr std::uint64_t most_unpacked_bytes = std::uint64_t{1} << 30;

struct Unpacked {
  std::string content;
  std::vector<Note> notes;  // "cut_frame": the last frame was not whole; what came before the break is there
};

/// Unpacks all frames (zstd) or members (gzip) one after the other. Memory grows with what was really unpacked, never
/// with what a header promises. Errors: Malformed, Truncated (nothing could be unpacked), Unsupported (above `limit`
/// bytes, a window above 128 MiB, or a build without these libraries).
Result<Unpacked> unpack(std::string bytes, Compression compression, std::uint64_t limit = most_unpacked_bytes);

/// One zstd frame with content size and checksum; frames may be appended to each other. The same bytes each time.
/// Error: Unsupported in a build without the library.
Result<std::string> pack_zstd(std::string_view content);

/// Bytes of the whole zstd frames at the beginning: where a frame that was torn begins. All of them in a build without
/// the library.
std::size_t whole_frames(std::string_view bytes);

}  // namespace vmscan::formats
