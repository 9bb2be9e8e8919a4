// Everything that the commands do with a target, one after the other: regions, heap walk, explanation, strings, diff
// and every format. For programs that are tried with hostile inputs.
#pragma once

#include "libvmscan/source/source.h"
#include "tests/fuzz/support/budget.h"

namespace vmscan::tests {

/// Ends the program when something does not hold: a law, a sum, what comes back from a file.
void run_whole_pipeline(const Facts& facts, const MemoryReader& memory, Budget& budget);

/// The same from the source on, which holds `input_bytes`; without files of this machine. What it costs is checked.
void run_whole_pipeline(Source& source, std::size_t input_bytes);

}  // namespace vmscan::tests
