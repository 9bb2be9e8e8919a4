// Reads back what vmscan strings wrote as JSON Lines: the strings of a process as they were some time ago.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libvmscan/strings/find_strings.h"

namespace vmscan::formats {

struct StringLine {
  std::string text;
  StringEncoding encoding = StringEncoding::Ascii;
};

/// One line. Nothing: it is no such line.
std::optional<StringLine> parse_string_line(std::string_view line);

}  // namespace vmscan::formats
