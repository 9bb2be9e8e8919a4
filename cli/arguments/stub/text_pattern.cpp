#include <fmt/format.h>

#include "cli/arguments/text_pattern.h"

namespace vmscan::cli {

struct TextPattern::Compiled {};

Expected<TextPattern> TextPattern::make(std::string_view option, std::string_view, bool) {
  return failure(exit_usage, fmt::format("{}: this build has no regular expressions (it was made without RE2): use "
                                         "--format text and a program that has them",
                                         option));
}

bool TextPattern::matches(std::string_view) const { return false; }

}  // namespace vmscan::cli
