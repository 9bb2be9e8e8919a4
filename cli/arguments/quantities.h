// Numbers with units on the command line.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "cli/failure.h"
#include "libvmscan/base/range.h"

namespace vmscan::cli {

/// "250ms", "5s", "1.5m", "2h"; a plain number is seconds. `option` names it in the failure.
Expected<std::chrono::milliseconds> parse_duration(std::string_view option, std::string_view text);
/// A whole number above 0.
Expected<std::uint64_t> parse_count(std::string_view option, std::string_view text);
/// "0x7ffd…" or decimal.
Expected<Address> parse_address(std::string_view option, std::string_view text);

}  // namespace vmscan::cli
