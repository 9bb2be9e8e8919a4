#include <fmt/format.h>

#include <algorithm>

#include "formats/views/table.h"
#include "formats/views/text.h"
#include "formats/vmmap/vmmap_text.h"

namespace vmscan::formats {
namespace {

using Cells = std::vector<std::string>;

constexpr std::array<std::string_view, vmmap_usage_columns> usage_titles{
    "Committed", "Private", "Total WS", "Private WS", "Shareable WS", "Shared WS", "Locked WS"};

std::string size_cell(Bytes bytes) { return bytes.value_or(0) < 1024 ? std::string() : format_count(*bytes / 1024); }
std::string count_cell(Bytes count) { return count.value_or(0) == 0 ? std::string() : fmt::to_string(*count); }

void add_usage(Cells& cells, const Usage& usage) {
  for (std::size_t i = 0; i < vmmap_usage_columns; ++i) cells.push_back(size_cell(usage.*usage_columns[i].member));
}

Cells summary_header() {
  Cells cells{"Type", "Size"};
  cells.insert(cells.end(), usage_titles.begin(), usage_titles.end());
  cells.insert(cells.end(), {"Blocks", "Largest"});
  return cells;
}

Cells details_header() {
  Cells cells{"Address", "Type", "Size"};
  cells.insert(cells.end(), usage_titles.begin(), usage_titles.end());
  cells.insert(cells.end(), {"Blocks", "Protection", "Details"});
  return cells;
}

Cells cells_of(const TypeTotal& row, std::string_view title) {
  Cells cells{std::string(title), size_cell(row.size)};
  add_usage(cells, row.usage);
  cells.push_back(count_cell(row.blocks));
  cells.push_back(size_cell(row.largest));
  return cells;
}

std::string protection_cell(const VmmapRow& row) {
  if (row.protection) return to_string(*row.protection);
  return row.reserved ? "Reserved" : "";
}

Cells cells_of(const VmmapRow& row, bool wide) {
  const std::string digits = wide ? fmt::format("{:016X}", row.address) : fmt::format("{:08X}", row.address);
  Cells cells{(row.is_block ? "  " : "") + digits, row.type_text, size_cell(row.size)};
  add_usage(cells, row.usage);
  cells.push_back(count_cell(row.blocks));
  cells.push_back(protection_cell(row));
  cells.push_back(escape_for_terminal(row.details));
  return cells;
}

/// The parts of such a file, as cells.
struct Parts {
  std::string process, pid;
  std::vector<Cells> summary, details;  // with their headers
};

Parts parts_of(const Snapshot& snapshot) {
  const VmmapTable table = vmmap_table_of(snapshot);
  Parts parts{escape_for_terminal(table.process), table.pid ? fmt::to_string(*table.pid) : std::string(), {}, {}};
  parts.summary = {summary_header(), cells_of(table.total, "Total")};
  for (const RegionTypeName& entry : region_types)
    parts.summary.push_back(cells_of(table.summary[static_cast<std::size_t>(entry.type)], entry.title));
  const bool wide = table.pointer_bits != 32U;
  parts.details.push_back(details_header());
  for (const VmmapRow& row : table.rows) parts.details.push_back(cells_of(row, wide));
  return parts;
}

constexpr std::string_view csv_line_end = "\r\r\n";

void append_csv(std::string& out, const Cells& cells) {
  const char* separator = "";
  for (const std::string& cell : cells) {
    out += separator;
    out += '"';
    for (const char c : cell) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
    separator = ",";
  }
}

void append_csv(std::string& out, const std::vector<Cells>& table) {
  for (const Cells& cells : table) {
    append_csv(out, cells);
    if (&cells == &table.front()) out += ',';  // as VMMap has it
    out += csv_line_end;
  }
}

void append_padded(std::string& out, const std::vector<Cells>& table) {
  std::vector<std::size_t> widths(table.front().size());
  for (const Cells& cells : table)
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], display_width(cells[i]));
  for (const Cells& cells : table) {
    const std::size_t begin = out.size();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      out += cells[i];
      if (i + 1 < cells.size()) out.append(widths[i] - display_width(cells[i]) + 2, ' ');
    }
    out.erase(std::max(begin, out.find_last_not_of(' ') + 1));
    out += "\r\n";
  }
}

}  // namespace

std::string write_vmmap_csv(const Snapshot& snapshot) {
  const Parts parts = parts_of(snapshot);
  std::string out;
  append_csv(out, Cells{"Process:", parts.process});
  out += csv_line_end;
  append_csv(out, Cells{"PID:", parts.pid});
  out += csv_line_end;
  out += csv_line_end;
  append_csv(out, parts.summary);
  out += csv_line_end;
  append_csv(out, parts.details);
  return out;
}

std::string write_vmmap_txt(const Snapshot& snapshot) {
  const Parts parts = parts_of(snapshot);
  std::string out = fmt::format("Process: {}\r\nPID: {}\r\n\r\n", parts.process, parts.pid);
  append_padded(out, parts.summary);
  out += "\r\n";
  append_padded(out, parts.details);
  return out;
}

}  // namespace vmscan::formats
