// How a gate went, beside what is printed of it.
#pragma once

#include <vector>

#include "cli/arguments/diff_arguments.h"
#include "libvmscan/diff/verdict.h"

namespace vmscan::cli {

/// What a machine format does not show, but the caller must know: the conditions that did not pass, on stderr.
void tell_gate(const std::vector<Verdict>& verdicts, const DiffSettings& settings);

/// The patterns of --ignore that matched nothing, on stderr.
void tell_unused(const std::vector<IgnoreUse>& ignored, const DiffArguments& arguments, const DiffSettings& settings);

/// Tripped wins over unknown: one condition that holds is enough.
int gate_exit_code(const std::vector<Verdict>& verdicts);

}  // namespace vmscan::cli
