// vmscan diff SERIES --trend: a series as a whole instead of two of its snapshots.
#pragma once

#include "cli/arguments/diff_arguments.h"

namespace vmscan::cli {

/// Reads the series snapshot by snapshot, shows the trend and judges the conditions. Returns the exit code.
int run_trend(const DiffArguments& arguments, const DiffSettings& settings);

}  // namespace vmscan::cli
