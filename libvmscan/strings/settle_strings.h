// Strings of several encodings that want the same bytes: who gets them (the rule stands in find_strings.h).
#pragma once

#include <vector>

#include "libvmscan/strings/find_strings.h"

namespace vmscan {

/// All strings of at least `least` characters, for any masks and any length: the slow way.
void settle_strings(const TextMasks& masks, std::size_t bytes, std::size_t least, std::vector<FoundString>& found);

/// Gives the character that both share to one of them: the last or the first one of the run of bytes.
void settle(const TextMasks& masks, FoundString& text, FoundString& wide);

/// Sets characters and encoding of a run of bytes.
void measure(const TextMasks& masks, FoundString& text);

}  // namespace vmscan
