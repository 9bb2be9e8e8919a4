// Markdown for a comment on a pull request. Every text from outside stands in code quotes or has its marks escaped.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "formats/native/json_writer.h"
#include "formats/views/diff_cells.h"
#include "formats/views/diff_rows.h"
#include "formats/views/diff_view.h"
#include "formats/views/heap_diff_view.h"
#include "formats/views/markdown.h"
#include "formats/views/quantity.h"
#include "formats/views/text.h"
#include "formats/views/verdict_view.h"

namespace vmscan::formats {
namespace {

constexpr std::size_t most_regions = 20, most_sizes = 10;  // when --top does not tell: a comment is no log

std::string side(const std::string& name, const Snapshot& snapshot) {
  std::string text = markdown_code(name);
  if (!snapshot.target.name.empty()) text += " " + markdown_text(snapshot.target.name);
  if (snapshot.target.pid) text += fmt::format(", pid {}", *snapshot.target.pid);
  if (snapshot.captured_at_unix_ms) text += ", " + format_time(*snapshot.captured_at_unix_ms);
  if (!snapshot.label.empty()) text += ", " + markdown_text(snapshot.label);
  return text;
}

Delta signed_value(const Cell& cell) {
  return cell.negative ? difference(cell.number, Bytes{0}) : difference(Bytes{0}, cell.number);
}

/// "19,480 K (+16,384 K)".
std::string now_and_delta(const TypeTotal& base, const TypeTotal& now, const Measure& measure) {
  const Delta delta = difference(measure.of(base), measure.of(now));
  const std::string value = format_quantity(measure.of(now), measure.in_bytes, Units::K);
  if (delta == Delta{0}) return value;
  return fmt::format("{} ({})", value, format_delta(delta, measure.in_bytes, Units::K));
}

void add_totals(std::string& out, const SnapshotDiff& diff, const DiffViewOptions& options) {
  constexpr std::array<std::string_view, 5> names{"committed", "private", "total_ws", "private_ws", "count"};
  const auto differs = [&](const TypeTotal& base, const TypeTotal& now) {
    return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
      const Measure& measure = *find_measure(name);
      return measure.of(base) != measure.of(now);
    });
  };
  const auto add_row = [&](std::string_view title, const TypeTotal& base, const TypeTotal& now) {
    out += fmt::format("| {} |", title);
    for (const std::string_view name : names)
      out += fmt::format(" {} |", now_and_delta(base, now, *find_measure(name)));
    out += '\n';
  };
  out += "| Type | Committed | Private | Total WS | Private WS | Regions |\n|---|--:|--:|--:|--:|--:|\n";
  for (const RegionTypeName& type : region_types) {
    const auto i = static_cast<std::size_t>(type.type);
    const bool shown = type.type != RegionType::Free && is_wanted(type.type, options.view);
    if (shown && differs(diff.base_totals.rows[i], diff.now_totals.rows[i]))
      add_row(type.title, diff.base_totals.rows[i], diff.now_totals.rows[i]);
  }
  add_row("**Total**", diff.base_totals.total, diff.now_totals.total);
}

void add_regions(std::string& out, const SnapshotDiff& diff, const DiffViewOptions& options) {
  DiffViewOptions limited = options;
  if (!limited.view.top) limited.view.top = most_regions;
  const auto changes = select_changes(diff, limited);
  out += fmt::format("\n{}", count_changes(diff));
  if (changes.empty()) return void(out += "\n");
  out += fmt::format(
      "; the {} that grew most:\n\n| Change | Type | Size | Committed | Private | Total WS "
      "| Details |\n|---|---|--:|--:|--:|--:|---|\n",
      changes.size());
  for (const RegionChange* change : changes) {
    const auto delta = [&](std::string_view name) {
      return format_delta(signed_value(cell_of(diff, *change, *find_column(View::Diff, name))), true, Units::K);
    };
    const std::string details = cell_of(diff, *change, *find_column(View::Diff, "details")).text;
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", name_of(change->change),
                       title_of(type_of(diff, *change)), delta("size"), delta("committed"), delta("private"),
                       delta("total_ws"), details.empty() ? "" : markdown_code(details));
  }
}

std::string cell_text(const Cell& cell, CellKind kind) {
  if (kind == CellKind::Text) return cell.text.empty() ? "" : markdown_code(cell.text);
  if (kind == CellKind::Delta) return format_delta(signed_value(cell), !cell.count, Units::K);
  return format_quantity(cell.number, kind == CellKind::Size, Units::K);
}

void add_table(std::string& out, const Table& table) {
  if (table.rows.empty()) return;
  std::string titles = "\n|", line = "|";
  for (const Column& column : table.columns) {
    titles += fmt::format(" {} |", column.title);
    line += column.kind == CellKind::Text ? "---|" : "--:|";
  }
  out += titles + "\n" + line + "\n";
  for (const Row& row : table.rows) {
    out += "|";
    for (std::size_t i = 0; i < row.cells.size(); ++i)
      out += fmt::format(" {} |", cell_text(row.cells[i], table.columns[i].kind));
    out += '\n';
  }
}

/// What heaps hold: which of them, which sizes and which classes grew.
void add_heaps(std::string& out, const HeapDiff& diff, const DiffViewOptions& options) {
  const std::size_t top = options.view.top.value_or(most_sizes);
  add_table(out, heap_diff_table(diff, false));
  add_table(out, heap_sizes_diff_table(diff, top));
  add_table(out, heap_types_diff_table(diff, top));
}

}  // namespace

std::string diff_markdown(const SnapshotDiff& diff, const DiffNames& names, const std::vector<Verdict>& verdicts,
                          const DiffViewOptions& options) {
  std::string out = fmt::format("### Memory: what changed\n\nBase: {}  \nNew: {}  \nRegions matched by {}: {}\n\n",
                                side(names.base, diff.base), side(names.now, diff.now), name_of(diff.match),
                                markdown_text(diff.match_reason));
  if (const std::string gate = verdict_markdown(verdicts, Units::K); !gate.empty()) out += gate + "\n";
  add_totals(out, diff, options);
  add_regions(out, diff, options);
  if (diff.heap) add_heaps(out, *diff.heap, options);
  for (const auto& [side, snapshot] : {std::pair("base", &diff.base), std::pair("new one", &diff.now)})
    for (const Note& note : snapshot->notes)
      if (note.code == "heap_shortfall")
        out += fmt::format("\nNote on the {}: {}\n", side, markdown_text(note.message));
  for (const Note& note : diff.notes) out += fmt::format("\nNote: {}\n", markdown_text(note.message));
  return out;
}

}  // namespace vmscan::formats
