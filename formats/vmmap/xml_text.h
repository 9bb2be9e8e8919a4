// Text inside XML.
#pragma once

#include <string>
#include <string_view>

namespace vmscan::formats {

/// For an attribute's value or an element's text (XML 1.0 section 2.2): what XML cannot hold is escaped as on a
/// terminal.
std::string xml_text(std::string_view text);

}  // namespace vmscan::formats
