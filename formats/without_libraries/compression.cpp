// In a build without libzstd and zlib.
#include "formats/compression.h"

#include <utility>

namespace vmscan::formats {

Result<Unpacked> unpack(std::string bytes, Compression compression, std::uint64_t) {
  if (compression == Compression::None) return Unpacked{std::move(bytes), {}};
  return fail(ErrorCode::Unsupported, "it is compressed, which this build cannot read: unpack it first");
}

Result<std::string> pack_zstd(std::string_view) {
  return fail(ErrorCode::Unsupported, "this build cannot write zstd files");
}

std::size_t whole_frames(std::string_view bytes) { return bytes.size(); }

}  // namespace vmscan::formats
