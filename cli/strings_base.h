// --not-in BASE: the strings of another target, which are not shown.
#pragma once

#include "cli/strings_options.h"
#include "libvmscan/strings/string_sieve.h"

namespace vmscan::cli {

/// Excludes all strings of BASE: a process or a core, or what vmscan strings --jsonl wrote. Adds to `notes` what of it
/// could not be searched.
Expected<void> exclude_base(const StringsArguments& arguments, const StringsSettings& settings, StringSieve& sieve,
                            std::vector<Note>& notes);

}  // namespace vmscan::cli
