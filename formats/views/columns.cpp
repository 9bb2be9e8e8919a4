#include "formats/views/columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "formats/views/text.h"
#include "libvmscan/base/nearest.h"

namespace vmscan::formats {
namespace {

struct Columns {
  std::vector<Column> all;
  std::vector<const Column*> defaults;
};

enum class Shown { Always, OnRequest };

/// The columns of Usage that stand between size and blocks; VMMap's seven are shown always.
bool is_of_vmmap(const UsageColumn& column) {
  return column.name.ends_with("_ws") || column.name == "committed" || column.name == "private";
}

void add(std::vector<std::pair<Column, Shown>>& list, std::string_view name, std::string_view title, CellKind kind,
         Shown shown = Shown::Always) {
  list.push_back({Column{name, title, kind, nullptr}, shown});
}

void add_usage(std::vector<std::pair<Column, Shown>>& list, CellKind kind = CellKind::Size) {
  for (const UsageColumn& usage : usage_columns) {
    list.push_back(
        {Column{usage.name, usage.title, kind, usage.member}, is_of_vmmap(usage) ? Shown::Always : Shown::OnRequest});
  }
}

Columns freeze(const std::vector<std::pair<Column, Shown>>& list) {
  Columns columns;
  for (const auto& [column, shown] : list) columns.all.push_back(column);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].second == Shown::Always) columns.defaults.push_back(&columns.all[i]);
  }
  return columns;
}

Columns make_summary_columns() {
  std::vector<std::pair<Column, Shown>> list;
  add(list, "type", "Type", CellKind::Type);
  add(list, "size", "Size", CellKind::Size);
  add_usage(list);
  add(list, "regions", "Regions", CellKind::Count, Shown::OnRequest);
  add(list, "blocks", "Blocks", CellKind::Count);
  add(list, "largest", "Largest", CellKind::Size);
  return freeze(list);
}

Columns make_details_columns() {
  std::vector<std::pair<Column, Shown>> list;
  add(list, "address", "Address", CellKind::Address);
  add(list, "type", "Type", CellKind::Type);
  add(list, "size", "Size", CellKind::Size);
  add_usage(list);
  add(list, "blocks", "Blocks", CellKind::Count);
  add(list, "protection", "Protection", CellKind::Text);
  add(list, "details", "Details", CellKind::Text);
  add(list, "rule", "Rule", CellKind::Text, Shown::OnRequest);
  add(list, "evidence", "Evidence", CellKind::Text, Shown::OnRequest);
  add(list, "build_id", "Build ID", CellKind::Text, Shown::OnRequest);
  return freeze(list);
}

Columns make_diff_columns() {
  std::vector<std::pair<Column, Shown>> list;
  add(list, "change", "Change", CellKind::Change);
  add(list, "address", "Address", CellKind::Address);
  add(list, "type", "Type", CellKind::Type);
  add(list, "size", "Size", CellKind::Delta);
  add_usage(list, CellKind::Delta);
  add(list, "blocks", "Blocks", CellKind::Delta, Shown::OnRequest);
  add(list, "protection", "Protection", CellKind::Text, Shown::OnRequest);
  add(list, "details", "Details", CellKind::Text);
  add(list, "rule", "Rule", CellKind::Text, Shown::OnRequest);
  for (auto& [column, shown] : list)
    if (column.name == "shareable_ws" || column.name == "shared_ws" || column.name == "locked_ws")
      shown = Shown::OnRequest;
  return freeze(list);
}

const Columns& columns_of(View view) {
  static const Columns summary = make_summary_columns();
  static const Columns details = make_details_columns();
  static const Columns diff = make_diff_columns();
  return view == View::Summary ? summary : view == View::Details ? details : diff;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Error unknown_column(View view, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Column& column : all_columns(view)) names.push_back(column.name);
  const auto near = nearest(folded_name(name), names);
  if (near) return {ErrorCode::Malformed, fmt::format("unknown column {}; did you mean '{}'?", quote(name), *near)};
  return {ErrorCode::Malformed, fmt::format("unknown column {}; there are {}", quote(name), fmt::join(names, ", "))};
}

using Choice = std::vector<const Column*>;

bool holds(const Choice& choice, const Column* column) {
  return std::find(choice.begin(), choice.end(), column) != choice.end();
}

/// Puts a column where the order of all columns wants it.
void add_in_order(Choice& choice, const Column* column) {
  if (holds(choice, column)) return;
  const auto at = std::find_if(choice.begin(), choice.end(), [column](const Column* other) { return other > column; });
  choice.insert(at, column);
}

void apply(Choice& choice, char mode, const Column* column) {
  if (mode == '+') {
    add_in_order(choice, column);
  } else if (mode == '-') {
    std::erase(choice, column);
  } else if (!holds(choice, column)) {
    choice.push_back(column);
  }
}

void put_key_first(View view, Choice& choice) {
  const Column* key = all_columns(view).data();
  std::erase(choice, key);
  choice.insert(choice.begin(), key);
}

}  // namespace

std::span<const Column> all_columns(View view) { return columns_of(view).all; }

std::vector<const Column*> default_columns(View view) { return columns_of(view).defaults; }

Result<std::vector<const Column*>> choose_columns(View view, std::string_view choice) {
  choice = trimmed(choice);
  const bool relative = choice.empty() || choice.front() == '+' || choice.front() == '-';
  Choice chosen = relative ? default_columns(view) : Choice{};
  char mode = '=';
  while (!choice.empty()) {
    const std::size_t comma = std::min(choice.find(','), choice.size());
    std::string_view name = trimmed(choice.substr(0, comma));
    choice.remove_prefix(std::min(comma + 1, choice.size()));
    if (!name.empty() && (name.front() == '+' || name.front() == '-')) {
      mode = name.front();
      name.remove_prefix(1);
    }
    const Column* column = find_column(view, name);
    if (column == nullptr) return std::unexpected(unknown_column(view, name));
    apply(chosen, mode, column);
  }
  put_key_first(view, chosen);
  return chosen;
}

const Column* find_column(View view, std::string_view name) {
  const std::string wanted = folded_name(trimmed(name));
  for (const Column& column : all_columns(view)) {
    if (wanted == column.name || wanted == folded_name(column.title)) return &column;
  }
  return nullptr;
}

Result<SortOrder> parse_sort(View view, std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view name = text.substr(0, colon);
  const Column* column = find_column(view, name);
  if (column == nullptr) return std::unexpected(unknown_column(view, name));
  SortOrder order{column, !is_left_aligned(column->kind)};
  if (colon == text.size()) return order;
  const std::string direction = folded_name(text.substr(colon + 1));
  if (direction != "asc" && direction != "desc") {
    return fail(ErrorCode::Malformed,
                fmt::format("unknown sort direction {}; there are asc and desc", quote(text.substr(colon + 1))));
  }
  order.descending = direction == "desc";
  return order;
}

}  // namespace vmscan::formats
