// The course of a process over a series: a row a type and column, as table, CSV, JSON and Markdown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/views/table.h"
#include "libvmscan/diff/trend.h"

namespace vmscan::formats {

inline constexpr std::string_view trend_schema = "vmscan.trend/1";

struct TrendViewOptions {
  std::vector<RegionType> types{};         // empty: all but Free
  std::vector<const Measure*> measures{};  // from choose_measures(); empty: those that tell a leak
  bool all = false;                        // what did not change, too
};

/// "a,b,c". Error: an unknown name, with the nearest that exists.
Result<std::vector<const Measure*>> choose_measures(std::string_view names);

/// Rows of the table: figures that changed behind the warm-up (or all), types in their order, the total last. Without a
/// choice of measures committed, private, private_ws, total_ws and count.
std::vector<FigureTrend> trend_rows(const Trend& trend, const TrendViewOptions& options);

/// First, last, slope, its interval, course and a sparkline of the whole series; with less room without some of them.
std::string trend_table(const Trend& trend, const std::vector<FigureTrend>& rows, const TableStyle& style);
std::string trend_csv(const std::vector<FigureTrend>& rows, bool header = true);

/// How many samples over which time, and what of it does not count; one sentence.
std::string describe(const Trend& trend);

/// Document "vmscan.trend/1" (SCHEMA.md), one line. `head` is the last snapshot of the series (without its regions).
/// Rows are every figure of the types asked for.
std::string trend_json(const Trend& trend, const Snapshot& head, const std::string& name,
                       const std::vector<Verdict>& verdicts, const TrendViewOptions& options);
std::string trend_markdown(const Trend& trend, const std::string& name, const std::vector<FigureTrend>& rows,
                           const std::vector<Verdict>& verdicts);

/// At most `width` block characters, each the median of its part of the values, from the least to the largest.
std::string sparkline(const std::vector<double>& values, std::size_t width);

}  // namespace vmscan::formats
