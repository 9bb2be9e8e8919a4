// Foreign text in Markdown.
#pragma once

#include <string>
#include <string_view>

namespace vmscan::formats {

/// In code quotes, fit for a cell of a table: nothing in it is markup, no line ends, "|" escaped as GitHub wants it.
std::string markdown_code(std::string_view text);
/// Plain, with every character that could be markup escaped.
std::string markdown_text(std::string_view text);

}  // namespace vmscan::formats
