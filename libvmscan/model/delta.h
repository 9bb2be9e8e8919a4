// What changed between two counts.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "libvmscan/base/bytes.h"

namespace vmscan {

/// New minus base, in bytes or things; unknown when either is. Saturates at ±(2^63 − 1).
using Delta = std::optional<std::int64_t>;

constexpr Delta difference(Bytes base, Bytes now) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const auto saturated = [](std::uint64_t amount) {
    return amount > static_cast<std::uint64_t>(most) ? most : static_cast<std::int64_t>(amount);
  };
  if (!base || !now) return std::nullopt;
  return *now >= *base ? saturated(*now - *base) : -saturated(*base - *now);
}

}  // namespace vmscan
