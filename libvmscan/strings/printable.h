// Which characters make a string. The one definition: scalar and vector code, and the documentation, follow it.
//   tab (U+0009), U+0020 to U+007E, and U+00A0 to U+3FFFF but
//   surrogates, line and paragraph separators (U+2028, U+2029), private use (U+E000 to U+F8FF) and
//   noncharacters (U+FDD0 to U+FDEF, U+xxFFFE, U+xxFFFF).
// In UTF-16 only characters up to U+00FF count. Beyond, nearly every pair of bytes is some character (all of ASCII text
// reads as Chinese), and the search relies on it that a character of UTF-16 has a zero byte (find_strings.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace vmscan {

constexpr bool is_printable_ascii(std::uint32_t c) { return c == '\t' || (c >= 0x20 && c <= 0x7E); }
constexpr bool is_printable_latin1(std::uint32_t c) { return is_printable_ascii(c) || (c >= 0xA0 && c <= 0xFF); }

constexpr bool is_printable(std::uint32_t c) {
  if (c < 0xA0) return is_printable_ascii(c);
  const bool surrogate = c >= 0xD800 && c <= 0xDFFF, private_use = c >= 0xE000 && c <= 0xF8FF;
  const bool noncharacter = (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
  return c <= 0x3FFFF && !surrogate && !private_use && !noncharacter && c != 0x2028 && c != 0x2029;
}

/// Bytes of the printable character that `bytes` begins with in UTF-8 (RFC 3629: no overlong forms); 0: none.
constexpr std::size_t printable_utf8(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return 0;
  const std::uint8_t first = bytes[0];
  if (first < 0x80) return is_printable_ascii(first) ? 1 : 0;
  const std::size_t size = first >= 0xC2 && first <= 0xDF ? 2 : (first & 0xF0) == 0xE0 ? 3 : first == 0xF0 ? 4 : 0;
  if (size == 0 || size > bytes.size()) return 0;
  std::uint32_t c = first & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((bytes[i] & 0xC0) != 0x80) return 0;
    c = c << 6 | (bytes[i] & 0x3FU);
  }
  const std::uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
  return c >= least && is_printable(c) ? size : 0;
}

}  // namespace vmscan
