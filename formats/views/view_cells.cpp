#include "formats/views/view_cells.h"

namespace vmscan::formats {
namespace {

Cell number_cell(Bytes number) { return {number, {}}; }
Cell text_cell(std::string text) { return {{}, std::move(text)}; }
/// The number is the type's place in every table, for sorting.
Cell type_cell(RegionType type) { return {static_cast<std::uint64_t>(type), std::string(title_of(type))}; }

std::string protection_text(const Block& block) {
  if (block.protection) return to_string(*block.protection);
  return block.state == State::Reserved ? "Reserved" : "";
}

bool is_text(const Column& column) { return column.kind == CellKind::Text || column.kind == CellKind::Change; }

bool is_unknown(const Cell& cell, const Column& column) {
  return is_text(column) ? cell.text.empty() : !cell.number.known();
}

}  // namespace

std::string protection_text(const Region& region) {
  if (const auto protection = region.protection()) return to_string(*protection);
  const bool reserved =
      !region.blocks.empty() && std::all_of(region.blocks.begin(), region.blocks.end(),
                                            [](const Block& block) { return block.state == State::Reserved; });
  return reserved ? "Reserved" : "";
}

Cell cell_of(const TypeTotal& row, const Column& column) {
  if (column.usage != nullptr) return number_cell(row.usage.*column.usage);
  if (column.name == "type") return type_cell(row.type);
  if (column.name == "size") return number_cell(row.size);
  if (column.name == "regions") return number_cell(row.regions);
  if (column.name == "blocks") return number_cell(row.blocks);
  if (column.name == "largest") return number_cell(row.largest);
  return {};
}

Cell cell_of(const Region& region, const Column& column) {
  if (column.usage != nullptr) return number_cell(region.usage.*column.usage);
  if (column.name == "address") return number_cell(region.range.begin);
  if (column.name == "type") return type_cell(region.type);
  if (column.name == "size") return number_cell(region.range.size());
  if (column.name == "blocks") return number_cell(region.blocks.size());
  if (column.name == "protection") return text_cell(protection_text(region));
  if (column.name == "details") return text_cell(region.details);
  if (column.name == "rule") return text_cell(region.rule);
  if (column.name == "evidence") return text_cell(region.evidence);
  if (column.name == "build_id") return text_cell(region.build_id);
  return {};
}

Cell cell_of(const Region& region, const Block& block, const Column& column) {
  if (column.usage != nullptr) return number_cell(block.usage.*column.usage);
  if (column.name == "address") return number_cell(block.range.begin);
  if (column.name == "type") return type_cell(region.type);
  if (column.name == "size") return number_cell(block.range.size());
  if (column.name == "blocks") return number_cell(0);
  if (column.name == "protection") return text_cell(protection_text(block));
  if (column.name == "details") return text_cell(block.details);
  return {};
}

bool stands_before(const Cell& a, const Cell& b, const Column& column, bool descending) {
  const bool a_unknown = is_unknown(a, column), b_unknown = is_unknown(b, column);
  if (a_unknown || b_unknown) return !a_unknown;
  if (is_text(column)) return descending ? b.text < a.text : a.text < b.text;
  if (a.negative != b.negative) return descending ? b.negative : a.negative;
  const bool larger_first = descending != a.negative;
  return larger_first ? *b.number < *a.number : *a.number < *b.number;
}

}  // namespace vmscan::formats
