// Text of Windows in foreign bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace vmscan {

/// UTF-16, little-endian, as UTF-8, up to the first NUL. What is no character (a lone surrogate) becomes U+FFFD; an odd
/// byte at the end is left out.
std::string utf8_from_utf16(std::span<const std::byte> bytes);

}  // namespace vmscan
