#include "libvmscan/diff/ignore.h"

#include <fmt/format.h>

namespace vmscan {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

/// Takes the ignored regions out, and says how many each pattern took.
void take_out(Snapshot& snapshot, const std::vector<IgnorePattern>& patterns, std::vector<IgnoreUse>& uses,
              std::size_t IgnoreUse::*count) {
  std::erase_if(snapshot.regions, [&](const Region& region) {
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      if (!patterns[i].matches(region)) continue;
      ++(uses[i].*count);
      return true;
    }
    return false;
  });
}

}  // namespace

// Linear in the text for each star: when the part behind the last star fails, only that star takes one character more.
bool glob_matches(std::string_view glob, std::string_view text) {
  std::size_t g = 0, t = 0, star = std::string_view::npos, retry = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      retry = t;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

bool IgnorePattern::matches(const Region& region) const {
  if (subject == Subject::Type) return region.type == type;
  if (subject == Subject::Rule) return glob_matches(glob, region.rule);
  if (glob_matches(glob, region.details)) return true;
  if (glob.find('/') != std::string::npos) return false;
  return glob_matches(glob, std::string_view(region.details).substr(region.details.rfind('/') + 1));
}

Result<IgnorePattern> parse_ignore_pattern(std::string_view text) {
  text = trimmed(text);
  IgnorePattern pattern;
  pattern.text = std::string(text);
  std::string_view rest = text;
  if (text.starts_with("type:")) {
    rest.remove_prefix(5);
    const auto type = parse_region_type(trimmed(rest));
    if (!type) return fail(ErrorCode::Malformed, fmt::format("'{}': there is no such type", text));
    pattern.subject = IgnorePattern::Subject::Type;
    pattern.type = *type;
  } else if (text.starts_with("rule:")) {
    rest.remove_prefix(5);
    pattern.subject = IgnorePattern::Subject::Rule;
  }
  pattern.glob = std::string(trimmed(rest));
  if (pattern.glob.empty()) return fail(ErrorCode::Malformed, fmt::format("'{}': an empty pattern", text));
  return pattern;
}

Result<std::vector<IgnorePattern>> parse_ignore_file(std::string_view text) {
  std::vector<IgnorePattern> patterns;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    auto pattern = parse_ignore_pattern(line);
    if (!pattern) return fail(pattern.error().code, fmt::format("line {}: {}", number, pattern.error().message));
    patterns.push_back(std::move(*pattern));
  }
  return patterns;
}

Summary totals_without_ignored(Snapshot& snapshot, const std::vector<IgnorePattern>& patterns,
                               std::vector<IgnoreUse>& uses, std::size_t IgnoreUse::*count) {
  const Summary whole = summarize(snapshot);
  if (patterns.empty()) return whole;
  take_out(snapshot, patterns, uses, count);
  Summary rest = summarize(snapshot);
  rest.rows[static_cast<std::size_t>(RegionType::Free)] = whole.rows[static_cast<std::size_t>(RegionType::Free)];
  return rest;
}

}  // namespace vmscan
