#include "formats/views/heap_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "formats/native/document.h"
#include "formats/native/heap_json.h"

namespace vmscan::formats {
namespace {

Cell number(Bytes value) { return Cell{value, {}}; }
Cell text(std::string value) { return Cell{{}, std::move(value)}; }

Row heap_row(const HeapTotals& heap, Row::Kind kind) {
  Row row;
  row.kind = kind;
  const auto percent = heap.fragmentation();
  row.cells = {text(heap.name),
               number(heap.size),
               number(heap.in_ram),
               number(heap.live.bytes),
               number(heap.live.blocks),
               number(heap.cached.bytes),
               number(heap.free.bytes),
               number(heap.largest_free),
               number(heap.overhead),
               number(heap.unread),
               text(percent ? format_hundredths(*percent) : std::string{})};
  return row;
}

std::vector<const SizeTotals*> by_live_bytes(const HeapReport& report, std::optional<std::size_t> top) {
  std::vector<const SizeTotals*> sizes;
  sizes.reserve(report.sizes.size());
  for (const SizeTotals& size : report.sizes) sizes.push_back(&size);
  std::stable_sort(sizes.begin(), sizes.end(),
                   [](const SizeTotals* a, const SizeTotals* b) { return a->live.bytes > b->live.bytes; });
  if (top && sizes.size() > *top) sizes.resize(*top);
  return sizes;
}

void write_fragmentation(JsonWriter& json, const HeapTotals& heap) {
  json.key("fragmentation");
  const auto percent = heap.fragmentation();
  percent ? json.number(static_cast<double>(*percent) / 100) : json.null();
}

void write_heap(JsonWriter& json, const HeapTotals& heap) {
  json.begin_object();
  write_heap_fields(json, heap);
  write_fragmentation(json, heap);
  json.key("ranges");
  json.begin_array();
  for (const Range& range : heap.ranges) {
    json.begin_object();
    json.key("address");
    json.address(range.begin);
    json.key("size");
    json.number(range.size());
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_sizes(JsonWriter& json, const HeapReport& report, std::optional<std::size_t> top) {
  json.key("sizes");
  json.begin_array();
  for (const SizeTotals* size : by_live_bytes(report, top)) write_size_of_blocks(json, *size);
  json.end_array();
}

std::span<const ObjectTotals> first_types(const HeapReport& report, std::optional<std::size_t> top) {
  return std::span(report.types).first(std::min(report.types.size(), top.value_or(report.types.size())));
}

void write_blocks(JsonWriter& json, const HeapReport& report, std::optional<std::size_t> top) {
  json.key("blocks");
  json.begin_array();
  for (std::size_t i = 0; i < std::min(report.blocks.size(), top.value_or(report.blocks.size())); ++i) {
    const HeapBlock& block = report.blocks[i];
    json.begin_object();
    json.key("address");
    json.address(block.address);
    json.key("size");
    json.number(block.size);
    json.key("state");
    json.string(block_state_names[static_cast<std::size_t>(block.state)]);
    json.key("heap");
    json.string(report.heaps[block.heap].name);
    json.key("looks_like");
    block.look == BlockLook::Unknown ? json.null()
                                     : json.string(block_look_names[static_cast<std::size_t>(block.look)]);
    json.key("text");
    block.text.empty() ? json.null() : json.string(block.text);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

Table heap_table(const HeapReport& report) {
  Table table;
  table.columns = {{"heap", "Heap", CellKind::Text},           {"size", "Size", CellKind::Size},
                   {"in_ram", "In RAM", CellKind::Size},       {"live_bytes", "Live", CellKind::Size},
                   {"live_blocks", "Blocks", CellKind::Count}, {"cached_bytes", "Cached", CellKind::Size},
                   {"free_bytes", "Free", CellKind::Size},     {"largest_free", "Largest free", CellKind::Size},
                   {"overhead", "Overhead", CellKind::Size},   {"unread", "Unread", CellKind::Size},
                   {"fragmentation", "Frag %", CellKind::Text}};
  for (const HeapTotals& heap : report.heaps) table.rows.push_back(heap_row(heap, Row::Kind::Top));
  if (!report.heaps.empty()) table.rows.push_back(heap_row(report.total(), Row::Kind::Total));
  return table;
}

Table heap_sizes_table(const HeapReport& report, std::optional<std::size_t> top) {
  Table table;
  table.columns = {{"requests", "Requests of", CellKind::Text},         {"size", "Bytes each", CellKind::Count},
                   {"live_blocks", "Live blocks", CellKind::Count},     {"live_bytes", "Live", CellKind::Size},
                   {"cached_blocks", "Cached blocks", CellKind::Count}, {"cached_bytes", "Cached", CellKind::Size},
                   {"free_blocks", "Free blocks", CellKind::Count},     {"free_bytes", "Free", CellKind::Size}};
  const bool several = std::ranges::any_of(
      report.sizes, [&](const SizeTotals& size) { return size.allocator != report.sizes.front().allocator; });
  if (several) table.columns.insert(table.columns.begin(), {"allocator", "Allocator", CellKind::Text});
  for (const SizeTotals* size : by_live_bytes(report, top)) {
    Row row;
    row.cells = {text(fmt::format("{}-{}", size->least_request, size->most_request)),
                 number(size->size),
                 number(size->live.blocks),
                 number(size->live.bytes),
                 number(size->cached.blocks),
                 number(size->cached.bytes),
                 number(size->free.blocks),
                 number(size->free.bytes)};
    if (several) row.cells.insert(row.cells.begin(), text(std::string(size->allocator)));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table heap_types_table(const HeapReport& report, std::optional<std::size_t> top) {
  Table table;
  table.columns = {{"type", "C++ type", CellKind::Text},
                   {"live_blocks", "Live blocks", CellKind::Count},
                   {"live_bytes", "Live", CellKind::Size},
                   {"image", "Image", CellKind::Text}};
  for (const ObjectTotals& type : first_types(report, top)) {
    Row row;
    row.cells = {text(type.name), number(type.live.blocks), number(type.live.bytes), text(type.image)};
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table heap_blocks_table(const HeapReport& report, std::optional<std::size_t> top) {
  Table table;
  table.columns = {{"address", "Address", CellKind::Address},    {"size", "Bytes", CellKind::Count},
                   {"state", "State", CellKind::Text},           {"heap", "Heap", CellKind::Text},
                   {"looks_like", "Looks like", CellKind::Text}, {"text", "Type or text", CellKind::Text}};
  for (std::size_t i = 0; i < std::min(report.blocks.size(), top.value_or(report.blocks.size())); ++i) {
    const HeapBlock& block = report.blocks[i];
    Row row;
    row.cells = {number(block.address),
                 number(block.size),
                 text(std::string(block_state_names[static_cast<std::size_t>(block.state)])),
                 text(report.heaps[block.heap].name),
                 text(std::string(block_look_names[static_cast<std::size_t>(block.look)])),
                 text(block.text)};
    table.rows.push_back(std::move(row));
  }
  return table;
}

const Region* region_with(const Snapshot& snapshot, Address address) {
  const auto it = std::partition_point(snapshot.regions.begin(), snapshot.regions.end(),
                                       [&](const Region& region) { return region.range.end <= address; });
  return it != snapshot.regions.end() && it->range.contains(address) ? &*it : nullptr;
}

std::string heap_json(const Snapshot& snapshot, const HeapReport& report, const HeapJson& options) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("schema");
  json.string(heap_schema);
  write_head(json, snapshot);
  json.key("heaps");
  json.begin_array();
  for (const HeapTotals& heap : report.heaps) write_heap(json, heap);
  json.end_array();
  json.key("total");
  json.begin_object();
  const HeapTotals total = report.total();
  write_heap_figures(json, total);
  write_fragmentation(json, total);
  json.end_object();
  if (options.sizes) write_sizes(json, report, options.top);
  if (options.types) write_types(json, first_types(report, options.top));
  if (options.blocks) {
    json.key("blocks_complete");
    json.boolean(report.blocks_complete);
    write_blocks(json, report, options.top);
  }
  if (options.address) {
    json.key("region");
    const Region* region = region_with(snapshot, *options.address);
    if (region != nullptr)
      write_region(json, *region, UnknownColumns::Null);
    else
      json.null();
  }
  write_tail(json, snapshot);
  return out += '\n';
}

}  // namespace vmscan::formats
