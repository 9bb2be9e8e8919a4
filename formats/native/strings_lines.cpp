#include "formats/native/strings_lines.h"

#include <nlohmann/json.hpp>

#include "formats/views/strings_view.h"

namespace vmscan::formats {

std::optional<StringLine> parse_string_line(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto text = json.find("text"), encoding = json.find("encoding");
  if (text == json.end() || encoding == json.end() || !text->is_string() || !encoding->is_string()) return std::nullopt;
  for (const StringEncoding known :
       {StringEncoding::Ascii, StringEncoding::Utf8, StringEncoding::Utf16le, StringEncoding::Utf16be})
    if (name_of(known) == encoding->get_ref<const std::string&>()) return StringLine{text->get<std::string>(), known};
  return std::nullopt;
}

}  // namespace vmscan::formats
