#include <fmt/format.h>

#include <charconv>

#include "formats/views/table.h"
#include "formats/views/text.h"

namespace vmscan::formats {
namespace {

void append_text(std::string& out, std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_number(std::string& out, Bytes number, int base) {
  if (!number.known()) return;
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, *number, base).ptr;
  if (base == 16) out += "0x";
  out.append(digits, end);
}

void append_cell(std::string& out, const Column& column, const Row& row, const Cell& cell) {
  switch (column.kind) {
    case CellKind::Text:
    case CellKind::Change:
      return append_text(out, cell.text);
    case CellKind::Type:
      return append_text(out, row.type ? std::string(name_of(*row.type)) : folded_name(cell.text));
    case CellKind::Address:
      return append_number(out, cell.number, 16);
    case CellKind::Size:
    case CellKind::Count:
    case CellKind::Delta:
      if (cell.negative) out += '-';
      return append_number(out, cell.number, 10);
    case CellKind::Percent:
      if (cell.negative) out += '-';
      if (cell.number) out += fmt::format("{}.{:02}", *cell.number / 100, *cell.number % 100);
      return;
  }
}

void append_header(std::string& out, const Table& table) {
  if (!table.group_name.empty()) append_text(out, table.group_name);
  bool first = table.group_name.empty();
  for (const Column& column : table.columns) {
    if (!first) out += ',';
    append_text(out, column.name);
    first = false;
  }
  out += '\n';
}

void append_row(std::string& out, const Table& table, const Row& row) {
  if (!table.group_name.empty()) append_text(out, row.group);
  bool first = table.group_name.empty();
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (!first) out += ',';
    if (i < row.cells.size()) append_cell(out, table.columns[i], row, row.cells[i]);
    first = false;
  }
  out += '\n';
}

}  // namespace

std::string csv_text(std::string_view text) {
  std::string out;
  append_text(out, text);
  return out;
}

std::string write_csv(const Table& table, bool header) {
  std::string out;
  if (header) append_header(out, table);
  for (const Row& row : table.rows) append_row(out, table, row);
  return out;
}

}  // namespace vmscan::formats
