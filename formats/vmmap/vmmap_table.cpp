#include "formats/vmmap/vmmap_table.h"

#include <fmt/format.h>

#include "formats/views/text.h"

namespace vmscan::formats {
namespace {

std::size_t index_of(RegionType type) { return static_cast<std::size_t>(type); }

Usage vmmap_columns_of(const Usage& usage) {
  Usage kept;
  for (std::size_t i = 0; i < vmmap_usage_columns; ++i) {
    const auto member = usage_columns[i].member;
    kept.*member = usage.*member;
  }
  return kept;
}

Usage no_usage() { return vmmap_columns_of(Usage::zero()); }

bool is_writable(const Block& block) { return block.protection && block.protection->write; }

/// The committed size of what can be written: VMMap's Private of an image.
Bytes writable_bytes(const Region& region) {
  Bytes sum = 0;
  for (const Block& block : region.blocks)
    if (is_writable(block)) sum += block.usage.committed;
  return sum;
}

std::uint64_t count_runs(const Region& region) {
  std::uint64_t runs = 0;
  const Block* previous = nullptr;
  for (const Block& block : region.blocks) {
    if (previous == nullptr || previous->protection != block.protection || previous->state != block.state) ++runs;
    previous = &block;
  }
  return runs;
}

Bytes thread_id(std::string_view details) {
  constexpr std::string_view prefix = "Thread ID: ";
  if (!details.starts_with(prefix)) return {};
  std::uint64_t id = 0;
  for (const char c : details.substr(prefix.size())) {
    if (c < '0' || c > '9' || id > 0xFFFFFFFF) break;
    id = id * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return id;
}

class RowMaker {
 public:
  explicit RowMaker(VmmapTable& table) : table_(table) {}

  void add(const Region& region) {
    VmmapRow row = row_of(region.range, region.type, region.usage);
    if (region.type == RegionType::Image) row.usage.private_bytes = writable_bytes(region);
    row.blocks = count_runs(region);
    row.protection = region.protection();
    row.reserved = !row.protection && region.type != RegionType::Free;
    row.details = region.details;
    if (region.evidence != row.type_text && parse_vmmap_type(region.evidence) == region.type)
      row.type_text = region.evidence;
    if (region.type == RegionType::Heap) number_heap(row);
    if (region.type == RegionType::Stack) row.id = thread_id(region.details);
    count(row, region);
    const std::string type_text = row.type_text;
    table_.rows.push_back(std::move(row));
    for (const Block& block : region.blocks) add(block, region.type, type_text);
  }

 private:
  static VmmapRow row_of(Range range, RegionType type, const Usage& usage) {
    VmmapRow row;
    row.address = range.begin;
    row.size = range.size();
    row.type = type;
    row.type_text = vmmap_title(type);
    row.usage = vmmap_columns_of(usage);
    return row;
  }

  void add(const Block& block, RegionType type, const std::string& type_text) {
    VmmapRow row = row_of(block.range, type, block.usage);
    row.is_block = true;
    row.type_text = type_text;
    row.protection = block.protection;
    row.reserved = !block.protection && block.state == State::Reserved;
    row.details = block.details;
    table_.rows.push_back(std::move(row));
  }

  void number_heap(VmmapRow& row) {
    row.id = ++heaps_;
    if (row.details.starts_with("Heap ID:")) return;
    row.details =
        row.details.empty() ? fmt::format("Heap ID: {}", heaps_) : fmt::format("Heap ID: {} [{}]", heaps_, row.details);
  }

  void count(const VmmapRow& row, const Region& region) {
    TypeTotal& total = table_.summary[index_of(row.type)];
    total.size += row.size;
    Usage usage = row.usage;
    usage.private_bytes = 0;
    for (const Block& block : region.blocks) usage.private_bytes += block.usage.private_bytes;
    total.usage += usage;
    total.blocks += row.blocks;
    total.largest = std::max(total.largest.value_or(0), row.size);
  }

  VmmapTable& table_;
  std::uint64_t heaps_ = 0;
};

void fill_page_table(VmmapTable& table) {
  TypeTotal& row = table.summary[index_of(RegionType::PageTable)];
  row.size = row.usage.committed = row.usage.private_bytes = row.largest = table.page_table;
}

void fill_total(VmmapTable& table) {
  table.total = {.size = 0, .usage = no_usage(), .regions = {}, .blocks = 0, .largest = 0};
  for (const TypeTotal& row : table.summary) {
    if (row.type == RegionType::Free) continue;
    table.total.size += row.size;
    table.total.usage += row.usage;
    table.total.blocks += row.blocks;
    if (row.type != RegionType::PageTable)
      table.total.largest = std::max(table.total.largest.value_or(0), row.largest.value_or(0));
  }
}

}  // namespace

void Oddities::add(std::string_view code, std::string text) {
  Cases& cases = cases_[std::string(code)];
  if (cases.count++ == 0) cases.first = std::move(text);
}

std::vector<Note> Oddities::notes() const {
  std::vector<Note> notes;
  for (const auto& [code, cases] : cases_)
    notes.push_back(
        {code, cases.count == 1 ? cases.first : fmt::format("{} (and {} more)", cases.first, cases.count - 1)});
  return notes;
}

VmmapTable vmmap_table_of(const Snapshot& snapshot) {
  VmmapTable table;
  table.process = snapshot.target.name;
  table.pid = snapshot.target.pid;
  table.pointer_bits = snapshot.target.pointer_bits;
  table.captured_at_unix_ms = snapshot.captured_at_unix_ms;
  table.page_table = snapshot.page_table;
  for (const RegionTypeName& entry : region_types)
    table.summary[index_of(entry.type)] = {
        .type = entry.type, .size = 0, .usage = no_usage(), .regions = {}, .blocks = 0, .largest = 0};
  RowMaker maker(table);
  const std::vector<Region> holes = free_regions(snapshot);
  auto hole = holes.begin();
  for (const Region& region : snapshot.regions) {
    for (; hole != holes.end() && hole->range.begin < region.range.begin; ++hole) maker.add(*hole);
    maker.add(region);
  }
  for (; hole != holes.end(); ++hole) maker.add(*hole);
  fill_page_table(table);
  fill_total(table);
  return table;
}

std::string_view vmmap_title(RegionType type) {
  switch (type) {
    case RegionType::Stack:
      return "Thread Stack";
    case RegionType::Heap:
      return "Heap (Private Data)";
    default:
      return title_of(type);
  }
}

std::optional<RegionType> parse_vmmap_type(std::string_view text) {
  text = text.substr(0, text.find('('));
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (folded_name(text) == "thread_stack") return RegionType::Stack;
  return parse_region_type(text);
}

}  // namespace vmscan::formats
