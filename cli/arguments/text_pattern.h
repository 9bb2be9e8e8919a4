// A regular expression over texts, matched in linear time, whatever the expression and whatever the texts. A build
// without RE2 answers that it has none.
#pragma once

#include <memory>
#include <string_view>

#include "cli/failure.h"

namespace vmscan::cli {

class TextPattern {
 public:
  /// RE2's syntax (https://github.com/google/re2/wiki/Syntax). `option` names it in the failure.
  static Expected<TextPattern> make(std::string_view option, std::string_view expression, bool ignore_case);
  /// Whether some part of the text, in UTF-8, matches. May be called by several threads.
  bool matches(std::string_view text) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace vmscan::cli
