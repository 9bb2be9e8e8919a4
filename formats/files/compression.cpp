#include "formats/files/compression.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "formats/files/unpacker.h"

namespace vmscan::formats {

Compression compression_of(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x28\xB5\x2F\xFD")) return Compression::Zstd;
  const bool skippable = first_bytes.size() >= 4 && (static_cast<unsigned char>(first_bytes[0]) & 0xF0U) == 0x50 &&
                         first_bytes.substr(1, 3) == "\x2A\x4D\x18";
  if (skippable) return Compression::Zstd;
  return first_bytes.starts_with("\x1F\x8B") ? Compression::Gzip : Compression::None;
}

Result<Unpacked> unpack(std::string bytes, Compression compression, std::uint64_t limit) {
  if (compression == Compression::None) return Unpacked{std::move(bytes), {}};
  std::string_view rest = bytes;
  const auto next = [&rest](std::span<std::byte> buffer) -> Result<std::size_t> {
    const std::size_t count = std::min(buffer.size(), rest.size());
    std::copy_n(std::as_bytes(std::span(rest)).begin(), count, buffer.begin());
    rest.remove_prefix(count);
    return count;
  };
  auto unpacker = Unpacker::open(next, compression);
  if (!unpacker) return std::unexpected(unpacker.error());
  auto content = read_all([&unpacker](std::span<std::byte> buffer) { return unpacker->read(buffer); }, limit);
  if (!content) return std::unexpected(content.error());
  return Unpacked{std::move(*content), unpacker->notes()};
}

}  // namespace vmscan::formats
