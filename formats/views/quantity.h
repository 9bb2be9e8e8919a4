// Single numbers in words, where a column cannot carry their unit: bytes beside counts, growth, rates.
#pragma once

#include <string>

#include "formats/views/table.h"
#include "libvmscan/model/delta.h"

namespace vmscan::formats {

/// "1,206 K", of things "1,206"; "?" when unknown.
std::string format_quantity(Bytes value, bool in_bytes, Units units);
/// "+1,206 K", "-3", "0"; "?" when unknown.
std::string format_delta(Delta delta, bool in_bytes, Units units);
/// "1.25 MiB/h", "-3 KiB/h", of things "12.5/h": three digits and the unit that makes them fit.
std::string format_rate(double per_hour, bool in_bytes);

}  // namespace vmscan::formats
