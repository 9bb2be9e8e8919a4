#include "cli/arguments/text_pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "formats/views/text.h"

namespace vmscan::cli {

struct TextPattern::Compiled {
  Compiled(std::string_view text, const RE2::Options& options)
      : expression(re2::StringPiece(text.data(), text.size()), options) {}
  RE2 expression;
};

Expected<TextPattern> TextPattern::make(std::string_view option, std::string_view expression, bool ignore_case) {
  RE2::Options options;
  options.set_case_sensitive(!ignore_case);
  options.set_log_errors(false);  // it would print them
  auto compiled = std::make_shared<const Compiled>(expression, options);
  if (!compiled->expression.ok())
    return failure(exit_usage,
                   fmt::format("{} {}: {}", option, formats::quote(expression), compiled->expression.error()));
  TextPattern pattern;
  pattern.compiled_ = std::move(compiled);
  return pattern;
}

bool TextPattern::matches(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->expression);
}

}  // namespace vmscan::cli
