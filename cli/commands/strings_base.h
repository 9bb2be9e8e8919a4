// --not-in BASE: the strings of another target, which are not shown.
#pragma once

#include "cli/arguments/strings_options.h"
#include "cli/commands/strings_flow.h"

namespace vmscan::cli {

/// Gives all strings of BASE to flow.exclude(): of a process or a core, or what vmscan strings --jsonl wrote. Adds to
/// `notes` what of it could not be searched.
Expected<void> exclude_base(const StringsArguments& arguments, const StringsSettings& settings, StringsFlow& flow,
                            std::vector<Note>& notes);

}  // namespace vmscan::cli
