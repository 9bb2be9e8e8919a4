// Bytes that come only once (from a pipe, from a decompressor) and are needed anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/base/result.h"

namespace vmscan {

inline constexpr std::uint64_t most_spooled_bytes = std::uint64_t{1} << 40;

/// Keeps them in a temporary file without a name, which is gone with the last copy of its FileBytes, whatever ends this
/// program. Pages of zeros become holes, so that a sparse core stays as small on the disk as it was.
class Spool {
 public:
  /// Errors: Io (no file can be made in the directory), Unsupported (on this system).
  static Result<Spool> make(const std::string& directory, std::uint64_t most_bytes = most_spooled_bytes);
  Spool(Spool&&) noexcept;
  Spool& operator=(Spool&&) noexcept;
  ~Spool();

  /// Errors: Io (the disk is as good as full), Unsupported (above the limit). Nothing can be added after one.
  Result<void> append(std::span<const std::byte> bytes);
  Result<FileBytes> finish();

 private:
  struct State;
  explicit Spool(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace vmscan
