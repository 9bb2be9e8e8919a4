#include "formats/views/text.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

namespace vmscan::formats {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 0;  // bytes; 0: the text does not begin with valid UTF-8
};

constexpr bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// Bytes of the sequence that begins with `first`, 0 when none does.
constexpr std::size_t sequence_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

/// Decodes the first code point by the table of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
CodePoint decode(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = sequence_length(first);
  if (length == 0 || length > text.size()) return {};
  if (length == 1) return {first, 1};
  std::uint32_t value = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return {};
    value = (value << 6) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  const bool valid = value >= smallest[length] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
  return valid ? CodePoint{value, length} : CodePoint{};
}

constexpr bool is_control(std::uint32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

/// Bidirectional controls, line and paragraph separators: they rearrange what stands around them.
constexpr bool is_disturbing(std::uint32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E) return false;
  }
  return true;
}

/// Byte offset of the code point number `index`.
std::size_t offset_of(std::string_view text, std::size_t index) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_continuation(text[i])) continue;
    if (seen++ == index) return i;
  }
  return text.size();
}

std::string_view last_code_points(std::string_view text, std::size_t count) {
  return text.substr(offset_of(text, display_width(text) - count));
}

constexpr std::string_view ellipsis = "…";
constexpr std::string_view separators = "/\\";

/// The longest end of a path that begins at a separator and takes at most `width`; empty when not even a name fits.
std::string_view longest_tail(std::string_view path, std::size_t width) {
  std::string_view best;
  std::size_t at = path.find_last_of(separators);
  while (at != std::string_view::npos && display_width(path.substr(at)) <= width) {
    best = path.substr(at);
    if (at == 0) break;
    at = path.find_last_of(separators, at - 1);
  }
  return best;
}

/// "/usr/" of "/usr/lib/x".
std::string_view first_name(std::string_view path) {
  const std::size_t second = path.find_first_of(separators, 1);
  return second == std::string_view::npos ? std::string_view() : path.substr(0, second + 1);
}

}  // namespace

std::string escape_for_terminal(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const CodePoint point = decode(text);
    if (point.length == 0 || is_control(point.value)) {
      const std::size_t bytes = point.length == 0 ? 1 : point.length;
      for (const char c : text.substr(0, bytes)) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      text.remove_prefix(bytes);
      continue;
    }
    if (is_disturbing(point.value)) {
      out += fmt::format("\\u{:04x}", point.value);
    } else {
      out += text.substr(0, point.length);
    }
    text.remove_prefix(point.length);
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const char c : text) width += is_continuation(c) ? 0U : 1U;
  return width;
}

std::string shorten(std::string_view text, std::size_t width) {
  const std::size_t full = display_width(text);
  if (full <= width) return std::string(text);
  if (width < 2) return std::string(width == 1 ? ellipsis : std::string_view());
  const std::string_view head = first_name(text);
  const std::size_t head_width = display_width(head);
  if (head_width > 1 && head_width + 1 < width) {
    const std::string_view tail = longest_tail(text, width - head_width - 1);
    if (!tail.empty()) return fmt::format("{}{}{}", head, ellipsis, tail);
  }
  const std::string_view tail = longest_tail(text, width - 1);
  if (!tail.empty()) return fmt::format("{}{}", ellipsis, tail);
  const std::size_t kept_in_front = (width - 1) / 3;
  return fmt::format("{}{}{}", text.substr(0, offset_of(text, kept_in_front)), ellipsis,
                     last_code_points(text, width - 1 - kept_in_front));
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const std::size_t needed = display_width(word) + 1;
    const bool breaks = used == 0 || (width != 0 && used + needed > width);
    if (breaks) {
      out += (used == 0 ? "" : "\n") + std::string(indent, ' ');
      used = indent + needed - 1;
    } else {
      out += ' ';
      used += needed;
    }
    out += word;
  }
  return out + '\n';
}

std::string quote(std::string_view text) {
  constexpr std::size_t longest = 60;
  const bool cut = text.size() > longest;
  return fmt::format("'{}{}'", escape_for_terminal(text.substr(0, longest)), cut ? ellipsis : std::string_view());
}

std::string folded_name(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    } else if (c == '-' || c == ' ') {
      c = '_';
    }
  }
  return folded;
}

}  // namespace vmscan::formats
