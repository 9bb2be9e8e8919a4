#include "formats/vmmap/xml_text.h"

#include "formats/views/text.h"

namespace vmscan::formats {

std::string xml_text(std::string_view text) {
  std::string out;
  const std::string safe = escape_for_terminal(text);  // no control characters, nothing that is not UTF-8
  for (std::size_t i = 0; i < safe.size(); ++i) {
    const std::string_view rest = std::string_view(safe).substr(i);
    if (rest.starts_with("\xEF\xBF\xBE") || rest.starts_with("\xEF\xBF\xBF")) {  // U+FFFE, U+FFFF: no XML characters
      out += "\xEF\xBF\xBD";
      i += 2;
      continue;
    }
    switch (safe[i]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += safe[i];
    }
  }
  return out;
}

}  // namespace vmscan::formats
