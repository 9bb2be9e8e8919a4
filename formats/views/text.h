// Text on its way to people: foreign names made harmless, widths, shortening.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vmscan::formats {

/// Makes foreign bytes harmless for a terminal: control characters and bytes that are not UTF-8 become "\x1b",
/// characters that change the direction or the line of the text around them "\u202e". Everything else, backslashes
/// too, stays.
std::string escape_for_terminal(std::string_view text);

/// Columns that valid UTF-8 takes on a terminal, counted as code points: wide and combining characters count as one.
std::size_t display_width(std::string_view text);

/// Shortens in the middle to `width` code points, keeping the end, and of a path whole names where they fit:
/// "/usr/lib/x86_64-linux-gnu/libc.so.6" becomes "/usr/…/libc.so.6".
std::string shorten(std::string_view text, std::size_t width);

/// Breaks between words so that no line is wider than `width` (0: one line); every line is indented, and ends with LF.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

/// In quotes, escaped and cut to a length that fits an error message.
std::string quote(std::string_view text);

/// Lower case, with "_" for "-" and blank: the form in which names are compared.
std::string folded_name(std::string_view name);

}  // namespace vmscan::formats
