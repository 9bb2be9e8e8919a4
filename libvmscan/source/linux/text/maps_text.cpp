#include "libvmscan/source/linux/text/maps_text.h"

#include <fmt/format.h>

#include <limits>

namespace vmscan {
namespace {

constexpr std::string_view deleted_suffix = " (deleted)";
constexpr std::size_t max_notes = 20;
constexpr std::size_t max_quoted = 60;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool take_flag(std::string_view& text, char set, char clear, bool& flag) {
  if (text.empty() || (text.front() != set && text.front() != clear)) return false;
  flag = text.front() == set;
  text.remove_prefix(1);
  return true;
}

bool take_permissions(std::string_view& text, Mapping& mapping) {
  return take_flag(text, 'r', '-', mapping.read) && take_flag(text, 'w', '-', mapping.write) &&
         take_flag(text, 'x', '-', mapping.execute) && take_flag(text, 's', 'p', mapping.shared);
}

bool take_hex32(std::string_view& text, std::uint32_t& value) {
  std::uint64_t wide = 0;
  if (!take_hex(text, wide) || wide > std::numeric_limits<std::uint32_t>::max()) return false;
  value = static_cast<std::uint32_t>(wide);
  return true;
}

std::string decode_path(std::string_view text) {
  constexpr std::string_view newline = "\\012";
  std::string path(text);
  for (std::size_t at = path.find(newline); at != std::string::npos; at = path.find(newline, at + 1))
    path.replace(at, newline.size(), 1, '\n');
  return path;
}

void take_path(std::string_view text, Mapping& mapping) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return;
  text.remove_prefix(begin);
  mapping.deleted = text.ends_with(deleted_suffix);
  if (mapping.deleted) text.remove_suffix(deleted_suffix.size());
  mapping.path = decode_path(text);
}

bool take_fields(std::string_view& text, Mapping& mapping) {
  return take_hex(text, mapping.range.begin) && take_char(text, '-') && take_hex(text, mapping.range.end) &&
         take_char(text, ' ') && take_permissions(text, mapping) && take_char(text, ' ') &&
         take_hex(text, mapping.offset) && take_char(text, ' ') && take_hex32(text, mapping.device_major) &&
         take_char(text, ':') && take_hex32(text, mapping.device_minor) && take_char(text, ' ') &&
         take_decimal(text, mapping.inode);
}

}  // namespace

bool take_hex(std::string_view& text, std::uint64_t& value) {
  std::size_t digits = 0;
  value = 0;
  while (digits < text.size() && digits < 17) {
    const int digit = hex_digit(text[digits]);
    if (digit < 0) break;
    value = value << 4 | static_cast<std::uint64_t>(digit);
    ++digits;
  }
  text.remove_prefix(digits);
  return digits > 0 && digits <= 16;
}

bool take_decimal(std::string_view& text, std::uint64_t& value) {
  constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
  std::size_t digits = 0;
  value = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    const auto digit = static_cast<std::uint64_t>(text[digits] - '0');
    if (value > (max - digit) / 10) return false;
    value = value * 10 + digit;
  }
  text.remove_prefix(digits);
  return digits > 0;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

namespace {

bool take_mapping(std::string_view line, Mapping& mapping) {
  std::string_view rest = line;
  if (!take_fields(rest, mapping) || mapping.range.empty() || (!rest.empty() && rest.front() != ' ')) return false;
  take_path(rest, mapping);
  return true;
}

std::string not_a_mapping(std::string_view line) {
  return fmt::format("not a mapping: '{}'", line.substr(0, max_quoted));
}

}  // namespace

Result<Mapping> parse_maps_line(std::string_view line) {
  Mapping mapping;
  if (!take_mapping(line, mapping)) return fail(ErrorCode::Malformed, not_a_mapping(line));
  return mapping;
}

void MapsParser::add(std::string_view line) {
  // A map that is long may be as long as the system allows (vm.max_map_count): what is not touched of the room for it
  // takes no memory, and nothing is moved again and again.
  constexpr std::size_t long_map = 1024, usual_limit = 65530;
  std::vector<Mapping>& mappings = map_.mappings;
  if (mappings.size() == long_map) mappings.reserve(usual_limit);
  ++lines_;
  if (Mapping& mapping = mappings.emplace_back(); take_mapping(line, mapping)) {
    if (mapping.range.begin < end_) map_.ordered = false;
    end_ = mapping.range.end;
    return;
  }
  mappings.pop_back();
  if (map_.notes.size() < max_notes)
    map_.notes.push_back({"bad_mapping_line", fmt::format("line {} of maps is {}", lines_, not_a_mapping(line))});
}

MapsText parse_maps(std::string_view text) {
  MapsParser parser;
  while (!text.empty()) parser.add(take_line(text));
  return parser.take();
}

}  // namespace vmscan
