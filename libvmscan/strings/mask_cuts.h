// Where a piece of memory can be cut without cutting a string.
#pragma once

#include <cstddef>
#include <optional>

#include "libvmscan/strings/text_masks.h"

namespace vmscan {

/// Places before which a string may begin or end, but that none crosses, whatever lies around the bytes.
class MaskCuts {
 public:
  MaskCuts(const TextMasks& masks, std::size_t bytes) : masks_(masks), bytes_(bytes) {}

  /// Nothing when no place is far enough from both ends.
  std::optional<std::size_t> first() const;
  std::optional<std::size_t> last() const;

 private:
  using Word = std::uint64_t;
  std::size_t words() const { return bytes_ / 64 + (bytes_ % 64 != 0 ? 1 : 0); }
  Word crossed(std::size_t i) const;
  Word inner(std::size_t i) const;

  const TextMasks& masks_;
  std::size_t bytes_;
};

/// Clears the bits before `begin` and from `end` on.
void keep_bits(TextMasks& masks, std::size_t begin, std::size_t end);

}  // namespace vmscan
