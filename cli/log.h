// --verbose: what a capture did and what each step cost, on stderr.
#pragma once

#include <functional>
#include <string_view>

namespace vmscan::cli {

/// A sink for CollectOptions::trace; empty when not verbose.
std::function<void(std::string_view)> make_trace(bool verbose);

}  // namespace vmscan::cli
