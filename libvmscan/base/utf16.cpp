#include "libvmscan/base/utf16.h"

#include <cstdint>

#include "libvmscan/base/little_endian.h"

namespace vmscan {
namespace {

constexpr std::uint32_t replacement = 0xfffd;

bool is_high(std::uint64_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low(std::uint64_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

void append(std::string& text, std::uint32_t c) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto tail = [&](unsigned shift) { put(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | c >> 6);
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    tail(6);
  } else {
    put(0xf0 | c >> 18);
    tail(12);
    tail(6);
  }
  tail(0);
}

}  // namespace

std::string utf8_from_utf16(std::span<const std::byte> bytes) {
  std::string text;
  for (std::size_t at = 0; at + 2 <= bytes.size(); at += 2) {
    const auto unit = static_cast<std::uint32_t>(*number_at(bytes, at, 2));
    if (unit == 0) break;
    const auto next = number_at(bytes, at + 2, 2);
    if (is_high(unit) && next && is_low(*next)) {
      append(text, 0x10000 + ((unit - 0xd800) << 10) + (static_cast<std::uint32_t>(*next) - 0xdc00));
      at += 2;
    } else {
      append(text, is_high(unit) || is_low(unit) ? replacement : unit);
    }
  }
  return text;
}

}  // namespace vmscan
