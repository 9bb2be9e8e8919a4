#include "formats/views/trend_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/native/document.h"
#include "formats/views/markdown.h"
#include "formats/views/quantity.h"
#include "formats/views/text.h"
#include "formats/views/verdict_view.h"

namespace vmscan::formats {
namespace {

constexpr std::string_view values_title = "Values";
constexpr std::size_t shortest_sparkline = 16, longest_sparkline = 32;  // with less room the table has fewer columns

bool is_chosen(const Measure& measure, const TrendViewOptions& options) {
  constexpr std::array<std::string_view, 5> usual{"committed", "private", "total_ws", "private_ws", "count"};
  if (options.measures.empty()) return std::find(usual.begin(), usual.end(), measure.name) != usual.end();
  return std::find(options.measures.begin(), options.measures.end(), &measure) != options.measures.end();
}

/// Every type that is asked for, then the total.
std::vector<std::optional<RegionType>> subjects(const TrendViewOptions& options) {
  std::vector<std::optional<RegionType>> list;
  for (const RegionTypeName& type : region_types) {
    const bool asked = std::find(options.types.begin(), options.types.end(), type.type) != options.types.end();
    if (asked || (options.types.empty() && type.type != RegionType::Free)) list.emplace_back(type.type);
  }
  list.emplace_back(std::nullopt);
  return list;
}

std::vector<double> known_values(const Trend& trend, const Figure& figure) {
  std::vector<double> values;
  for (const TrendSample& sample : trend.samples()) {
    const Bytes value = figure.of(sample.summary);
    if (value) values.push_back(static_cast<double>(*value));
  }
  return values;
}

std::string duration_text(std::int64_t ms) {
  if (ms < 10'000) return fmt::format("{:.3g} s", static_cast<double>(ms) / 1000);
  const std::int64_t s = (ms + 500) / 1000;
  if (s < 120) return fmt::format("{} s", s);
  if (s < 7200) return s % 60 == 0 ? fmt::format("{} min", s / 60) : fmt::format("{} min {} s", s / 60, s % 60);
  const std::int64_t minutes = s / 60;
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string rate(const FigureTrend& row) {
  if (!row.slope) return "?";
  const std::string text = format_rate(row.slope->per_hour, row.figure.measure->in_bytes);
  return row.slope->per_hour > 0 ? "+" + text : text;
}

std::string interval(const FigureTrend& row) {
  if (!row.slope) return "?";
  return fmt::format("{} to {}", format_rate(row.slope->low, row.figure.measure->in_bytes),
                     format_rate(row.slope->high, row.figure.measure->in_bytes));
}

/// By how many standard deviations of what was before the last quarter is off.
std::string drift(const FigureTrend& row) {
  if (!row.drift || !row.drift_noise || *row.drift == 0) return "";
  if (*row.drift_noise == 0) return *row.drift > 0 ? "up" : "down";
  const double times = *row.drift / *row.drift_noise;
  return std::fabs(times) < 0.05 ? "" : fmt::format("{:+.1f}σ", times);
}

std::string_view title_of(const FigureTrend& row) {
  return row.figure.type ? vmscan::title_of(*row.figure.type) : "Total";
}

Row make_row(const FigureTrend& row, const std::string& spark, bool is_wide, bool repeats) {
  const bool count = !row.figure.measure->in_bytes;
  const auto number = [count](Bytes value) { return Cell{.number = value, .text = {}, .count = count}; };
  const auto text = [](std::string value) { return Cell{{}, std::move(value)}; };
  Row cells;
  cells.type = row.figure.type;
  if (!cells.type) cells.kind = Row::Kind::Total;
  cells.repeats_type = repeats;
  if (row.course == Course::Growing) cells.tint = Row::Tint::Removed;
  cells.cells = {text(cells.type ? "" : "Total"), text(std::string(row.figure.measure->name))};
  if (is_wide) cells.cells.push_back(number(row.first));
  cells.cells.push_back(number(row.last));
  cells.cells.push_back(text(std::string(name_of(row.course))));
  cells.cells.push_back(text(rate(row)));
  if (is_wide) {
    cells.cells.push_back(text(interval(row)));
    cells.cells.push_back(text(drift(row)));
    cells.cells.push_back(number(row.warm_up));
  }
  cells.cells.push_back(text(spark));
  return cells;
}

Table table_of(const Trend& trend, const std::vector<FigureTrend>& rows, bool is_wide, std::size_t spark_width) {
  Table table;
  table.columns = {{"type", "Type", CellKind::Type, nullptr}, {"column", "Column", CellKind::Text, nullptr}};
  if (is_wide) table.columns.push_back({"first", "First", CellKind::Size, nullptr});
  table.columns.push_back({"last", "Last", CellKind::Size, nullptr});
  table.columns.push_back({"course", "Course", CellKind::Text, nullptr});
  table.columns.push_back({"slope", "Slope", CellKind::Text, nullptr});
  if (is_wide) {
    table.columns.push_back({"interval", "95 % interval", CellKind::Text, nullptr});
    table.columns.push_back({"drift", "Drift", CellKind::Text, nullptr});
    table.columns.push_back({"warm_up", "Warm-up", CellKind::Count, nullptr});
  }
  table.columns.push_back({"values", values_title, CellKind::Text, nullptr});
  for (const FigureTrend& row : rows) {
    const bool repeats = &row != &rows.front() && (&row - 1)->figure.type == row.figure.type;
    table.rows.push_back(make_row(row, sparkline(known_values(trend, row.figure), spark_width), is_wide, repeats));
  }
  return table;
}

/// What a line of this width has left for the sparkline.
std::size_t room_for_values(const Trend& trend, const std::vector<FigureTrend>& rows, bool is_wide,
                            const TableStyle& style) {
  TableStyle plain = style;
  plain.width = 0;
  plain.color = false;
  plain.header = true;
  const std::string text = write_table(table_of(trend, rows, is_wide, 0), plain);
  const std::size_t others = display_width(text.substr(0, text.find('\n'))) - values_title.size();
  return style.width > others ? style.width - others : 0;
}

std::string csv_number(std::optional<double> value) { return value ? fmt::to_string(*value) : std::string(); }
std::string csv_number(Bytes value) { return value ? fmt::to_string(*value) : std::string(); }

void write_number(JsonWriter& json, std::string_view key, std::optional<double> value) {
  json.key(key);
  value ? json.number(*value) : json.null();
}

void write_row(JsonWriter& json, const FigureTrend& row) {
  json.begin_object();
  json.key("type");
  json.string(row.figure.type ? name_of(*row.figure.type) : "total");
  json.key("column");
  json.string(row.figure.measure->name);
  json.key("course");
  json.string(name_of(row.course));
  json.key("reason");
  row.reason.empty() ? json.null() : json.string(row.reason);
  json.key("warm_up");
  json.number(std::uint64_t{row.warm_up});
  for (const auto& [key, value] :
       {std::pair{"first", row.first}, {"last", row.last}, {"least", row.least}, {"largest", row.largest}}) {
    json.key(key);
    json.bytes(value);
  }
  write_slope(json, row.slope);
  write_number(json, "detectable_per_hour", row.slope ? std::optional(row.detectable) : std::nullopt);
  write_number(json, "drift", row.drift);
  write_number(json, "drift_noise", row.drift_noise);
  json.end_object();
}

void write_series(JsonWriter& json, const Trend& trend, const std::string& name) {
  const auto time = [&json](std::string_view key, std::optional<std::int64_t> at) {
    json.key(key);
    at ? json.string(format_time(*at)) : json.null();
  };
  json.key("series");
  json.begin_object();
  json.key("name");
  json.string(name);
  json.key("samples");
  json.number(std::uint64_t{trend.samples().size()});
  time("from", trend.samples().empty() ? std::nullopt : trend.samples().front().captured_at_unix_ms);
  time("to", trend.samples().empty() ? std::nullopt : trend.samples().back().captured_at_unix_ms);
  json.key("interval_ms");
  trend.problem().empty() ? json.number(trend.median_interval_ms()) : json.null();
  json.key("warm_up");
  json.string(trend.warm_up_is_found() ? "found" : "given");
  json.key("problem");
  trend.problem().empty() ? json.null() : json.string(trend.problem());
  json.end_object();
}

}  // namespace

std::string sparkline(const std::vector<double>& values, std::size_t width) {
  constexpr std::array<std::string_view, 8> blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.empty() || width == 0) return {};
  const std::vector<double> parts = statistics::block_medians(values, width);
  const auto [least, largest] = std::minmax_element(parts.begin(), parts.end());
  const double range = *largest - *least;
  std::string line;
  for (const double part : parts) {
    const double height = range > 0 ? (part - *least) / range * (blocks.size() - 1) : 0;
    line += blocks[static_cast<std::size_t>(std::lround(height))];
  }
  return line;
}

Result<std::vector<const Measure*>> choose_measures(std::string_view names) {
  std::vector<const Measure*> measures;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    const auto figure = parse_figure("total", name);
    if (!figure) return std::unexpected(figure.error());
    measures.push_back(figure->measure);
  }
  return measures;
}

std::vector<FigureTrend> trend_rows(const Trend& trend, const TrendViewOptions& options) {
  std::vector<FigureTrend> rows;
  for (const auto& type : subjects(options)) {
    for (const Measure& measure : all_measures()) {
      if (!is_chosen(measure, options)) continue;
      FigureTrend row = trend.of({type, &measure});
      const bool changed = row.least.known() && row.least != row.largest;
      if (changed || options.all) rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::string trend_table(const Trend& trend, const std::vector<FigureTrend>& rows, const TableStyle& style) {
  if (style.width == 0) return write_table(table_of(trend, rows, true, longest_sparkline), style);
  std::size_t room = room_for_values(trend, rows, true, style);
  const bool is_wide = room >= shortest_sparkline;
  if (!is_wide) room = room_for_values(trend, rows, false, style);
  return write_table(table_of(trend, rows, is_wide, std::min(room, longest_sparkline)), style);
}

std::string trend_csv(const std::vector<FigureTrend>& rows, bool header) {
  std::string out = header
                        ? "type,column,course,warm_up,first,last,least,largest,per_hour,low,high,p,drift,drift_noise,"
                          "reason\n"
                        : "";
  for (const FigureTrend& row : rows) {
    const auto slope = [&row](double Slope::*member) {
      return csv_number(row.slope ? std::optional((*row.slope).*member) : std::nullopt);
    };
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                       row.figure.type ? name_of(*row.figure.type) : "total", row.figure.measure->name,
                       name_of(row.course), row.warm_up, csv_number(row.first), csv_number(row.last),
                       csv_number(row.least), csv_number(row.largest), slope(&Slope::per_hour), slope(&Slope::low),
                       slope(&Slope::high), slope(&Slope::p), csv_number(row.drift), csv_number(row.drift_noise),
                       csv_text(row.reason));
  }
  return out;
}

std::string describe(const Trend& trend) {
  std::string text = fmt::format("{} {}", trend.samples().size(), trend.samples().size() == 1 ? "sample" : "samples");
  if (!trend.problem().empty()) return fmt::format("{}; no trend: {}", text, trend.problem());
  text += fmt::format(" over {}, one every {}", duration_text(trend.duration_ms()),
                      duration_text(trend.median_interval_ms()));
  if (!trend.warm_up_is_found())
    return fmt::format("{}; the first {} are warm-up", text, trend.of({std::nullopt, &all_measures()[0]}).warm_up);
  return text + "; what does not fit in with the rest at the beginning is taken for warm-up";
}

std::string trend_json(const Trend& trend, const Snapshot& head, const std::string& name,
                       const std::vector<Verdict>& verdicts, const TrendViewOptions& options) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("schema");
  json.string(trend_schema);
  write_head(json, head);
  write_series(json, trend, name);
  json.key("rows");
  json.begin_array();
  for (const auto& type : subjects(options)) {
    for (const Measure& measure : all_measures()) write_row(json, trend.of({type, &measure}));
  }
  json.end_array();
  write_gate(json, verdicts);
  write_notes(json, head.notes);
  json.end_object();
  out += '\n';
  return out;
}

std::string trend_markdown(const Trend& trend, const std::string& name, const std::vector<FigureTrend>& rows,
                           const std::vector<Verdict>& verdicts) {
  std::string out = fmt::format("### Trend of {}\n\n{}\n\n", markdown_code(name), markdown_text(describe(trend)));
  if (!verdicts.empty()) out += verdict_markdown(verdicts, Units::K) + "\n";
  out +=
      "| Type | Column | First | Last | Course | Slope | 95 % interval | Values |\n|---|---|--:|--:|---|--:|---|---|\n";
  for (const FigureTrend& row : rows) {
    const bool in_bytes = row.figure.measure->in_bytes;
    out += fmt::format("| {} | `{}` | {} | {} | {}{} | {} | {} | {} |\n", title_of(row), row.figure.measure->name,
                       format_quantity(row.first, in_bytes, Units::K), format_quantity(row.last, in_bytes, Units::K),
                       row.course == Course::Growing ? "📈 " : "", name_of(row.course), rate(row), interval(row),
                       sparkline(known_values(trend, row.figure), 16));
  }
  return out;
}

}  // namespace vmscan::formats
