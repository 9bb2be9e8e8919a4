#include "formats/vmmap/vmmap_cells.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "formats/views/text.h"

namespace vmscan::formats {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct UnitName {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<UnitName, 10> units{{{"bytes", 1},
                                          {"byte", 1},
                                          {"kb", 1 << 10},
                                          {"mb", 1 << 20},
                                          {"gb", 1 << 30},
                                          {"kib", 1 << 10},
                                          {"k", 1 << 10},
                                          {"m", 1 << 20},
                                          {"g", 1 << 30},
                                          {"b", 1}}};

/// A cell's digits and its thousands separators; what comes behind them is a unit.
struct Digits {
  std::string digits;
  std::size_t groups = 0;  // digits since the last separator
  bool separated = false;  // by anything
  bool fraction = false;   // the last separator may begin a fraction: "12.5"
  std::string_view rest;
};

/// Length of a thousands separator at the beginning of `text`; 0 when there is none.
std::size_t separator_length(std::string_view text) {
  if (text.starts_with("\xC2\xA0")) return 2;
  if (text.starts_with("\xE2\x80\xAF") || text.starts_with("\xE2\x80\x99")) return 3;
  return std::string_view(",.' \xA0").find(text.front()) == std::string_view::npos ? 0 : 1;
}

Digits digits_of(std::string_view text) {
  Digits found;
  while (!text.empty()) {
    if (is_digit(text.front())) {
      found.digits += text.front();
      ++found.groups;
      text.remove_prefix(1);
      continue;
    }
    const std::size_t length = separator_length(text);
    if (length == 0 || length == text.size() || !is_digit(text[length])) break;
    if (found.separated && found.groups != 3) break;
    found.fraction = text.front() == '.' || text.front() == ',';
    found.separated = true;
    found.groups = 0;
    text.remove_prefix(length);
  }
  found.rest = text;
  return found;
}

std::optional<std::uint64_t> unit_of(std::string_view text, std::uint64_t otherwise) {
  const std::string name = folded_name(trimmed_cell(text));
  if (name.empty()) return otherwise;
  const auto found = std::find_if(units.begin(), units.end(), [&](const UnitName& unit) { return unit.name == name; });
  return found == units.end() ? std::nullopt : std::optional(found->bytes);
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t length = c < 0x80                ? 1
                               : c >= 0xC2 && c < 0xE0 ? 2
                               : c >= 0xE0 && c < 0xF0 ? 3
                               : c >= 0xF0 && c < 0xF5 ? 4
                                                       : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    i += length;
  }
  return true;
}

}  // namespace

CsvLine split_csv(std::string_view line, char separator) {
  constexpr std::size_t most_cells = 1024;  // no table has so many columns: a line of nothing but separators does
  CsvLine result;
  bool quoted = false, at_start = true;
  std::string cell;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const char next = i + 1 < line.size() ? line[i + 1] : separator;
    if (quoted && c == '"' && next == '"') {
      cell += '"';
      ++i;
    } else if (quoted && c == '"' && next == separator) {
      quoted = false;
    } else if (!quoted && c == '"' && at_start) {
      quoted = true;
      at_start = false;
    } else if (!quoted && c == separator) {
      result.cells.push_back(std::exchange(cell, {}));
      at_start = true;
      if (result.cells.size() == most_cells) break;
    } else {
      cell += c;
      at_start = false;
    }
  }
  result.cells.push_back(std::move(cell));
  result.open_quote = quoted;
  return result;
}

bool next_line(std::string_view& text, std::string_view& line) {
  if (text.empty()) return false;
  const std::size_t end = text.find('\n');
  line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  while (line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

std::string_view trimmed_cell(std::string_view cell) {
  const std::size_t begin = cell.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return cell.substr(begin, cell.find_last_not_of(" \t") + 1 - begin);
}

std::optional<std::uint64_t> parse_vmmap_size(std::string_view cell, std::uint64_t unit) {
  cell = trimmed_cell(cell);
  if (cell.empty()) return 0;
  Digits found = digits_of(cell);
  const auto factor = unit_of(found.rest, unit);
  if (found.digits.empty() || !factor) return std::nullopt;
  std::uint64_t fraction = 0;
  if (found.separated && found.groups != 3) {
    if (!found.fraction || found.groups > 6) return std::nullopt;
    const std::string tail = found.digits.substr(found.digits.size() - found.groups);
    found.digits.resize(found.digits.size() - found.groups);
    std::uint64_t numerator = 0, denominator = 1;
    for (const char c : tail) {
      numerator = numerator * 10 + static_cast<std::uint64_t>(c - '0');
      denominator *= 10;
    }
    fraction = *factor * numerator / denominator;
  }
  std::uint64_t whole = 0;
  const char* end = found.digits.data() + found.digits.size();
  if (const auto read = std::from_chars(found.digits.data(), end, whole); read.ec != std::errc{}) return std::nullopt;
  if (whole > (std::numeric_limits<std::uint64_t>::max() - fraction) / *factor) return std::nullopt;
  return whole * *factor + fraction;
}

std::optional<Address> parse_vmmap_address(std::string_view cell) {
  cell = trimmed_cell(cell);
  if (cell.starts_with("0x") || cell.starts_with("0X")) cell.remove_prefix(2);
  Address address = 0;
  const auto read = std::from_chars(cell.data(), cell.data() + cell.size(), address, 16);
  if (cell.empty() || read.ec != std::errc{} || read.ptr != cell.data() + cell.size()) return std::nullopt;
  return address;
}

std::string as_utf8(std::string_view text, bool& was_other) {
  was_other = !is_utf8(text);
  if (!was_other) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | (byte >> 6));
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

}  // namespace vmscan::formats
