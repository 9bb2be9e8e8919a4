// What a zstd or gzip file holds, piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/files/compression.h"
#include "libvmscan/base/file_bytes.h"

namespace vmscan::formats {

/// All of it. Error: Unsupported above `limit` bytes, or as `next`.
Result<std::string> read_all(const ReadNext& next, std::uint64_t limit);

/// Unpacks all frames (zstd) or members (gzip) one after the other.
class Unpacker {
 public:
  /// Error: Unsupported in a build without these libraries.
  static Result<Unpacker> open(ReadNext packed, Compression compression);
  Unpacker(Unpacker&&) noexcept;
  Unpacker& operator=(Unpacker&&) noexcept;
  ~Unpacker();

  /// As ReadNext. A break ends it: with a note when something came out before, else with an Error (Malformed,
  /// Truncated; also a window above 128 MiB). Errors of `packed` are passed on.
  Result<std::size_t> read(std::span<std::byte> buffer);
  /// "cut_frame": the last frame was not whole; what came before the break was given.
  const std::vector<Note>& notes() const;

  class Decoder;

 private:
  struct State;
  explicit Unpacker(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmscan::formats
