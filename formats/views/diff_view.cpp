#include "formats/views/diff_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "formats/views/diff_cells.h"
#include "formats/views/diff_rows.h"

namespace vmscan::formats {
namespace {

/// The figures that a reader wants without asking.
bool shown_by_default(std::string_view measure) {
  constexpr std::array<std::string_view, 8> names{"size",       "committed",    "private", "total_ws",
                                                  "private_ws", "shareable_ws", "swap",    "count"};
  return std::find(names.begin(), names.end(), measure) != names.end();
}

bool is_chosen(const Measure& measure, const ViewOptions& options) {
  if (options.columns.empty()) return shown_by_default(measure.name);
  return std::any_of(options.columns.begin(), options.columns.end(),
                     [&measure](const Column* column) { return column->name == measure.name; });
}

/// One figure of the totals on both sides.
struct Line {
  const Measure* measure;
  Bytes base, now;
};

Row make_row(const Line& line, std::optional<RegionType> type, bool first) {
  Row row;
  row.type = type;
  if (!type) row.kind = Row::Kind::Total;
  const bool count = !line.measure->in_bytes;
  row.cells.push_back({{}, type ? "" : "Total"});
  row.cells.push_back({{}, std::string(line.measure->name)});
  for (const Bytes value : {line.base, line.now}) row.cells.push_back({.number = value, .text = {}, .count = count});
  row.cells.push_back(delta_cell(line.base, line.now, count));
  row.cells.push_back(percent_cell(line.base, line.now));
  row.repeats_type = !first;
  return row;
}

void add_lines(Table& table, const SnapshotDiff& diff, std::optional<RegionType> type, const DiffViewOptions& options) {
  bool first = true;
  for (const Measure& measure : all_measures()) {
    const Figure figure{type, &measure};
    const Line line{&measure, figure.of(diff.base_totals), figure.of(diff.now_totals)};
    if (!is_chosen(measure, options.view) || (line.base == line.now && !options.all)) continue;
    const bool asked_for = options.all || !options.view.columns.empty();
    if (!asked_for && diff.regions_known() && !is_comparable(diff.base_totals, diff.now_totals, measure)) continue;
    table.rows.push_back(make_row(line, type, first));
    first = false;
  }
}

}  // namespace

RegionType type_of(const SnapshotDiff& diff, const RegionChange& change) {
  return change.now.empty() ? diff.base.regions[change.base[0]].type : diff.now.regions[change.now[0]].type;
}

bool is_shown(const SnapshotDiff& diff, RegionType type, const ViewOptions& options) {
  const auto i = static_cast<std::size_t>(type);
  const bool has_row = diff.base_totals.rows[i].has_row() || diff.now_totals.rows[i].has_row();
  return is_wanted(type, options) && (has_row || !options.types.empty());
}

std::vector<const RegionChange*> select_changes(const SnapshotDiff& diff, const DiffViewOptions& options) {
  std::vector<std::pair<std::int64_t, const RegionChange*>> keyed;
  for (const RegionChange& change : diff.changes) {
    const bool shown = options.all || is_news(change.change);
    if (shown && is_wanted(type_of(diff, change), options.view)) keyed.emplace_back(growth(diff, change), &change);
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<const RegionChange*> changes;
  for (const auto& [key, change] : keyed) changes.push_back(change);
  if (options.view.sort.column != nullptr) {
    const Column& column = *options.view.sort.column;
    std::stable_sort(changes.begin(), changes.end(), [&](const RegionChange* a, const RegionChange* b) {
      return stands_before(cell_of(diff, *a, column), cell_of(diff, *b, column), column, options.view.sort.descending);
    });
  }
  if (options.view.top && changes.size() > *options.view.top) changes.resize(*options.view.top);
  return changes;
}

Table diff_totals_table(const SnapshotDiff& diff, const DiffViewOptions& options) {
  Table table;
  table.columns = {{"type", "Type", CellKind::Type, nullptr},    {"column", "Column", CellKind::Text, nullptr},
                   {"base", "Base", CellKind::Size, nullptr},    {"new", "New", CellKind::Size, nullptr},
                   {"delta", "Delta", CellKind::Delta, nullptr}, {"percent", "%", CellKind::Percent, nullptr}};
  for (const auto& [type, name, title] : region_types) {
    const bool shown = diff.regions_known() && is_shown(diff, type, options.view) && type != RegionType::Free;
    if (shown) add_lines(table, diff, type, options);
  }
  add_lines(table, diff, std::nullopt, options);
  table.partial = !options.view.types.empty();
  return table;
}

Table diff_regions_table(const SnapshotDiff& diff, const DiffViewOptions& options) {
  Table table;
  const auto columns = options.view.columns.empty() ? default_columns(View::Diff) : options.view.columns;
  for (const Column* column : columns) table.columns.push_back(*column);
  for (const RegionChange* change : select_changes(diff, options)) {
    Row row;
    row.type = type_of(diff, *change);
    if (change->change == Change::Added) row.tint = Row::Tint::Added;
    if (change->change == Change::Removed) row.tint = Row::Tint::Removed;
    for (const Column& column : table.columns) row.cells.push_back(cell_of(diff, *change, column));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string count_changes(const SnapshotDiff& diff) {
  if (!diff.regions_known()) return "the regions cannot be compared";
  std::string text;
  for (const ChangeName& name : change_names) {
    if (!is_news(name.change)) continue;
    const auto count = std::count_if(diff.changes.begin(), diff.changes.end(),
                                     [&name](const RegionChange& change) { return change.change == name.change; });
    if (count != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name.name);
  }
  return text.empty() ? "no region changed" : text;
}

}  // namespace vmscan::formats
