#include "formats/views/heap_diff_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "formats/views/diff_cells.h"

namespace vmscan::formats {
namespace {

Cell number(std::uint64_t value) { return {.number = value, .text = {}}; }
Cell text(std::string value) { return {.number = {}, .text = std::move(value)}; }

Row heap_row(std::string name, const HeapTotals& base, const HeapTotals& now) {
  Row row;
  row.cells = {text(std::move(name)),
               number(base.live.bytes),
               number(now.live.bytes),
               delta_cell(base.live.bytes, now.live.bytes, false),
               number(base.live.blocks),
               number(now.live.blocks),
               delta_cell(base.live.blocks, now.live.blocks, true),
               delta_cell(base.free.bytes + base.cached.bytes, now.free.bytes + now.cached.bytes, false)};
  return row;
}

void write_change(JsonWriter& json, std::string_view key, std::uint64_t base, std::uint64_t now) {
  json.key(key);
  json.begin_object();
  json.key("base");
  json.number(base);
  json.key("new");
  json.number(now);
  json.key("delta");
  json.number(*difference(base, now));
  json.end_object();
}

template <class Totals>
void write_sums(JsonWriter& json, const Totals& base, const Totals& now) {
  write_change(json, "live_bytes", base.live.bytes, now.live.bytes);
  write_change(json, "live_blocks", base.live.blocks, now.live.blocks);
  write_change(json, "cached_bytes", base.cached.bytes, now.cached.bytes);
  write_change(json, "free_bytes", base.free.bytes, now.free.bytes);
}

template <class Changes>
auto first_of(const Changes& changes, std::optional<std::size_t> top) {
  return std::span(changes).first(std::min(changes.size(), top.value_or(changes.size())));
}

}  // namespace

Table heap_diff_table(const HeapDiff& diff, bool all) {
  Table table;
  table.columns = {{"heap", "Heap", CellKind::Text},
                   {"base_live_bytes", "Live in base", CellKind::Size},
                   {"new_live_bytes", "Live in new", CellKind::Size},
                   {"live_delta", "Delta", CellKind::Delta},
                   {"base_live_blocks", "Blocks in base", CellKind::Count},
                   {"new_live_blocks", "Blocks in new", CellKind::Count},
                   {"blocks_delta", "Delta", CellKind::Delta},
                   {"idle_delta", "Idle delta", CellKind::Delta}};
  for (const HeapChange& change : diff.heaps)
    if (all || change.base.live != change.now.live)
      table.rows.push_back(heap_row(change.name, change.base, change.now));
  if (table.rows.empty()) return table;
  table.rows.push_back(heap_row("Total", diff.base_total, diff.now_total));
  table.rows.back().kind = Row::Kind::Total;
  return table;
}

Table heap_sizes_diff_table(const HeapDiff& diff, std::optional<std::size_t> top) {
  Table table;
  table.columns = {{"requests", "Requests of", CellKind::Text},
                   {"size", "Bytes each", CellKind::Count},
                   {"base_live_blocks", "Blocks in base", CellKind::Count},
                   {"new_live_blocks", "Blocks in new", CellKind::Count},
                   {"blocks_delta", "Delta", CellKind::Delta},
                   {"live_delta", "Live delta", CellKind::Delta}};
  for (const auto& [base, now] : first_of(diff.sizes, top)) {
    Row row;
    row.cells = {text(fmt::format("{}-{}", now.least_request, now.most_request)),
                 number(now.size),
                 number(base.live.blocks),
                 number(now.live.blocks),
                 delta_cell(base.live.blocks, now.live.blocks, true),
                 delta_cell(base.live.bytes, now.live.bytes, false)};
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table heap_types_diff_table(const HeapDiff& diff, std::optional<std::size_t> top) {
  Table table;
  table.columns = {{"type", "C++ type", CellKind::Text},
                   {"base_live_blocks", "Blocks in base", CellKind::Count},
                   {"new_live_blocks", "Blocks in new", CellKind::Count},
                   {"blocks_delta", "Delta", CellKind::Delta},
                   {"live_delta", "Live delta", CellKind::Delta},
                   {"image", "Image", CellKind::Text}};
  for (const TypeChange& change : first_of(diff.types, top)) {
    Row row;
    row.cells = {text(change.name),
                 number(change.base.blocks),
                 number(change.now.blocks),
                 delta_cell(change.base.blocks, change.now.blocks, true),
                 delta_cell(change.base.bytes, change.now.bytes, false),
                 text(change.image)};
    table.rows.push_back(std::move(row));
  }
  return table;
}

void write_heap_diff(JsonWriter& json, const HeapDiff& diff, std::optional<std::size_t> top) {
  json.begin_object();
  json.key("heaps");
  json.begin_array();
  for (const HeapChange& change : diff.heaps) {
    json.begin_object();
    json.key("allocator");
    json.string(change.allocator);
    json.key("name");
    json.string(change.name);
    write_sums(json, change.base, change.now);
    json.end_object();
  }
  json.end_array();
  json.key("total");
  json.begin_object();
  write_sums(json, diff.base_total, diff.now_total);
  json.end_object();
  json.key("sizes");
  json.begin_array();
  for (const auto& [base, now] : first_of(diff.sizes, top)) {
    json.begin_object();
    json.key("allocator");
    json.string(now.allocator);
    json.key("size");
    json.number(now.size);
    json.key("least_request");
    json.number(now.least_request);
    json.key("most_request");
    json.number(now.most_request);
    write_sums(json, base, now);
    json.end_object();
  }
  json.end_array();
  json.key("types");
  json.begin_array();
  for (const TypeChange& change : first_of(diff.types, top)) {
    json.begin_object();
    json.key("name");
    json.string(change.name);
    json.key("image");
    json.string(change.image);
    write_change(json, "live_bytes", change.base.bytes, change.now.bytes);
    write_change(json, "live_blocks", change.base.blocks, change.now.blocks);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace vmscan::formats
