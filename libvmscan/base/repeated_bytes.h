// Each byte of a core or a minidump is one byte of the process: records that lead to the same bytes again and again
// would make a small file as large as one likes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "libvmscan/base/bytes.h"

namespace vmscan {

/// Lets all `pieces`, each with the bytes that it `held`, hold no more than the file has, the first ones first. Returns
/// how many bytes were dropped.
template <class Piece>
std::uint64_t drop_repeated(std::vector<Piece>& pieces, std::uint64_t file_bytes) {
  Bytes dropped = 0;
  for (Piece& piece : pieces) {
    const std::uint64_t held = std::min(piece.held, file_bytes);
    dropped += piece.held - held;
    piece.held = held;
    file_bytes -= held;
  }
  return *dropped;
}

}  // namespace vmscan
