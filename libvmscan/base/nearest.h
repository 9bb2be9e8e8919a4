// "Did you mean …": the known name that is nearest to a mistyped one.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace vmscan {

/// Number of single-character insertions, deletions, replacements and swaps of neighbours between two ASCII words.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate with the smallest edit distance (the first of equals), unless even that is no plausible slip: more
/// than a third of the longer word differs. A candidate that `word` is the beginning of (three letters or more) counts.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace vmscan
