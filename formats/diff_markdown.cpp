// Markdown for a comment on a pull request. Every text from outside stands in code quotes or has its marks escaped.
#include <fmt/format.h>

#include "formats/diff_cells.h"
#include "formats/diff_rows.h"
#include "formats/diff_view.h"
#include "formats/json_writer.h"
#include "formats/markdown.h"
#include "formats/quantity.h"
#include "formats/text.h"
#include "formats/verdict_view.h"

namespace vmscan::formats {
namespace {

constexpr std::size_t most_regions = 20;  // when --top does not tell: a comment is no log

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

std::string percent(const Cell& cell) {
  return cell.number ? (cell.negative ? "-" : "+") + format_hundredths(*cell.number) : std::string();
}

void add_totals(std::string& out, const SnapshotDiff& diff, const DiffViewOptions& options) {
  const Table table = diff_totals_table(diff, options);
  if (table.rows.empty()) {
    out += "No total changed.\n";
    return;
  }
  out += "| Type | Column | Base | New | Delta | % |\n|---|---|--:|--:|--:|--:|\n";
  for (const Row& row : table.rows) {
    const bool in_bytes = !row.cells[2].count;
    out += fmt::format("| {} | {} | {} | {} | {} | {} |\n", row.cells[0].text, row.cells[1].text,
                       format_quantity(row.cells[2].number, in_bytes, Units::K),
                       format_quantity(row.cells[3].number, in_bytes, Units::K),
                       format_delta(signed_value(row.cells[4]), in_bytes, Units::K), percent(row.cells[5]));
  }
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

}  // namespace

std::string diff_markdown(const SnapshotDiff& diff, const DiffNames& names, const std::vector<Verdict>& verdicts,
                          const DiffViewOptions& options) {
  std::string out = fmt::format("### Memory: what changed\n\nBase: {}  \nNew: {}  \nRegions matched by {}: {}\n\n",
                                side(names.base, diff.base), side(names.now, diff.now), name_of(diff.match),
                                markdown_text(diff.match_reason));
  if (const std::string gate = verdict_markdown(verdicts, Units::K); !gate.empty()) out += gate + "\n";
  add_totals(out, diff, options);
  add_regions(out, diff, options);
  for (const Note& note : diff.notes) out += fmt::format("\nNote: {}\n", markdown_text(note.message));
  return out;
}

}  // namespace vmscan::formats
