#include "formats/compression.h"

namespace vmscan::formats {

Compression compression_of(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x28\xB5\x2F\xFD")) return Compression::Zstd;
  const bool skippable = first_bytes.size() >= 4 && (static_cast<unsigned char>(first_bytes[0]) & 0xF0U) == 0x50 &&
                         first_bytes.substr(1, 3) == "\x2A\x4D\x18";
  if (skippable) return Compression::Zstd;
  return first_bytes.starts_with("\x1F\x8B") ? Compression::Gzip : Compression::None;
}

}  // namespace vmscan::formats
