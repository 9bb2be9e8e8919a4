// In a build without libzstd.
#include "formats/files/compression.h"

namespace vmscan::formats {

Result<std::string> pack_zstd(std::string_view) {
  return fail(ErrorCode::Unsupported, "this build cannot write zstd files");
}

std::size_t whole_frames(std::string_view bytes) { return bytes.size(); }

}  // namespace vmscan::formats
