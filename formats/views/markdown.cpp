#include "formats/views/markdown.h"

#include <algorithm>

#include "formats/views/text.h"

namespace vmscan::formats {

std::string markdown_code(std::string_view text) {
  const std::string safe = escape_for_terminal(text);  // no control characters
  std::size_t longest = 0, run = 0;
  std::string inner;
  for (const char c : safe) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
    if (c == '|') inner += '\\';
    inner += c;
  }
  if (longest == 0) return "`" + inner + "`";
  const std::string fence(longest + 1, '`');
  return fence + " " + inner + " " + fence;
}

std::string markdown_text(std::string_view text) {
  std::string out;
  for (const char c : escape_for_terminal(text)) {
    if (std::string_view("\\`*_{}[]()<>#+!|~@&").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace vmscan::formats
