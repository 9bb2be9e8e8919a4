// Lines of VMMap's CSV and TXT as cells, and what a cell holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/bytes.h"
#include "libvmscan/base/range.h"

namespace vmscan::formats {

struct CsvLine {
  std::vector<std::string> cells;
  bool open_quote = false;  // the line ends inside a quoted cell
};

/// Splits one line without its end. A quote inside a quoted cell is doubled, or not followed by the separator.
CsvLine split_csv(std::string_view line, char separator);

/// The next line without its end, LF with any number of CR; false at the end of the text.
bool next_line(std::string_view& text, std::string_view& line);

std::string_view trimmed_cell(std::string_view cell);

/// Bytes from "1,234", "1.234 K", "12 bytes", "1'234", with 0xA0 or blanks between thousands; without a unit KB, when
/// `unit` is 1024. Empty is 0; nothing when it is no such number or beyond 2^64.
std::optional<std::uint64_t> parse_vmmap_size(std::string_view cell, std::uint64_t unit = 1024);

/// Hexadecimal digits, with or without 0x.
std::optional<Address> parse_vmmap_address(std::string_view cell);

/// The text as UTF-8: what is not is taken for Latin-1, the usual part of the ANSI code pages.
std::string as_utf8(std::string_view text, bool& was_other);

}  // namespace vmscan::formats
