// The verdicts of a gate: lines for a terminal, JSON, CSV, Markdown, JUnit XML.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "formats/native/json_writer.h"
#include "formats/views/table.h"
#include "libvmscan/diff/verdict.h"

namespace vmscan::formats {

/// A line that says how the gate went, then one for each condition with base, new, delta and limit, and one with the
/// reason where there is one. Empty without conditions. Uses units, color and width of the style.
std::string verdict_lines(std::span<const Verdict> verdicts, const TableStyle& style);

/// "gate": {"tripped": …, "conditions": […]}. "tripped" is null when none trips and one is unknown.
void write_gate(JsonWriter& json, std::span<const Verdict> verdicts);

/// "slope": {"per_hour", "low", "high", "p", "significant"}, or null.
void write_slope(JsonWriter& json, const std::optional<Slope>& slope);

/// One row a condition: condition, base, new, delta, limit, verdict, reason, and of slopes the rate with its interval.
std::string verdict_csv(std::span<const Verdict> verdicts, bool header = true);

/// A heading and a table; empty without conditions.
std::string verdict_markdown(std::span<const Verdict> verdicts, Units units);

/// One test case a condition, a failure when it tripped, an error when it is unknown. `suite` may hold any text.
/// Without time and host name, so the same verdicts give the same bytes.
std::string verdict_junit(std::string_view suite, std::span<const Verdict> verdicts);

}  // namespace vmscan::formats
