#include "formats/native/document.h"
#include "formats/views/view_cells.h"

namespace vmscan::formats {
namespace {

/// Nothing of this type is there. Unknown is not nothing.
bool is_zero(const TypeTotal& row) {
  if (row.size != Bytes{0}) return false;
  return std::all_of(usage_columns.begin(), usage_columns.end(),
                     [&row](const UsageColumn& column) { return (row.usage.*column.member).value_or(0) == 0; });
}

std::vector<const TypeTotal*> select_rows(const Summary& summary, const ViewOptions& options, bool hide_zero_rows) {
  std::vector<const TypeTotal*> rows;
  for (const TypeTotal& row : summary.rows) {
    const bool shown = is_wanted(row.type, options) && (row.has_row() || !options.types.empty());
    if (shown && !(hide_zero_rows && is_zero(row))) rows.push_back(&row);
  }
  sort_and_cut(rows, options);
  return rows;
}

Row make_row(const TypeTotal& total, const Table& table) {
  Row row;
  row.type = total.type;
  for (const Column& column : table.columns) row.cells.push_back(cell_of(total, column));
  return row;
}

Row make_total_row(const TypeTotal& total, const Table& table) {
  Row row = make_row(total, table);
  row.kind = Row::Kind::Total;
  row.type.reset();
  row.cells.front() = Cell{{}, "Total"};
  return row;
}

void write_figures(JsonWriter& json, const TypeTotal& total) {
  json.key("size");
  json.bytes(total.size);
  write_usage(json, total.usage, UnknownColumns::Null);
  json.key("regions");
  json.bytes(total.regions);
  json.key("blocks");
  json.bytes(total.blocks);
  json.key("largest");
  json.bytes(total.largest);
}

void write_rows(JsonWriter& json, const std::vector<const TypeTotal*>& rows) {
  json.key("rows");
  json.begin_array();
  for (const TypeTotal* row : rows) {
    json.begin_object();
    json.key("type");
    json.string(name_of(row->type));
    write_figures(json, *row);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

Table summary_table(const Snapshot& snapshot, const ViewOptions& options) {
  return summary_table(summarize(snapshot), options);
}

Table summary_table(const Summary& summary, const ViewOptions& options) {
  Table table;
  const auto columns = options.columns.empty() ? default_columns(View::Summary) : options.columns;
  for (const Column* column : columns) table.columns.push_back(*column);
  for (const TypeTotal* row : select_rows(summary, options, options.hide_zero_rows)) {
    table.rows.push_back(make_row(*row, table));
  }
  table.rows.push_back(make_total_row(summary.total, table));
  table.partial = !options.types.empty() || options.top.has_value();
  return table;
}

std::string summary_json(const Snapshot& snapshot, const ViewOptions& options) {
  return summary_json(snapshot, summarize(snapshot), options);
}

std::string summary_json(const Snapshot& snapshot, const Summary& summary, const ViewOptions& options) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("schema");
  json.string(summary_schema);
  write_head(json, snapshot);
  write_rows(json, select_rows(summary, options, false));
  json.key("total");
  json.begin_object();
  write_figures(json, summary.total);
  json.end_object();
  write_tail(json, snapshot);
  return out += '\n';
}

}  // namespace vmscan::formats
