// Over pugixml, which knows only the five predefined entities; a document type is refused all the same.
#include "formats/vmmap/mmp.h"

#include <fmt/format.h>

#include <charconv>
#include <pugixml.hpp>

#include "formats/views/text.h"
#include "formats/vmmap/mmp_values.h"
#include "formats/vmmap/vmmap_table.h"

namespace vmscan::formats {
namespace {

bool same_name(std::string_view a, std::string_view b) { return folded_name(a) == folded_name(b); }

struct NumberField {
  std::string_view name;
  void (*set)(VmmapRow&, std::uint64_t);
};

constexpr std::array<NumberField, 12> number_fields{{
    {"address", [](VmmapRow& row, std::uint64_t value) { row.address = value; }},
    {"blocks", [](VmmapRow& row, std::uint64_t value) { row.blocks = value; }},
    {"shareablews", [](VmmapRow& row, std::uint64_t value) { row.usage.shareable_ws = value; }},
    {"sharedws", [](VmmapRow& row, std::uint64_t value) { row.usage.shared_ws = value; }},
    {"size", [](VmmapRow& row, std::uint64_t value) { row.size = value; }},
    {"commit", [](VmmapRow& row, std::uint64_t value) { row.usage.committed = value; }},
    {"privatebytes", [](VmmapRow& row, std::uint64_t value) { row.usage.private_bytes = value; }},
    {"privatews", [](VmmapRow& row, std::uint64_t value) { row.usage.private_ws = value; }},
    {"lockedws", [](VmmapRow& row, std::uint64_t value) { row.usage.locked_ws = value; }},
    {"id", [](VmmapRow& row, std::uint64_t value) { row.id = value; }},
    {"protection", [](VmmapRow& row, std::uint64_t value) { row.protection = protection_of_page(value); }},
    {"storage", [](VmmapRow&, std::uint64_t) {}},  // what it means is not public
}};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

class Reader {
 public:
  Result<MmpFile> read(const pugi::xml_document& document, const std::string& cut) {
    const pugi::xml_node root = document.document_element();
    if (root) walk(root);
    if (file_.snapshots.empty())
      return cut.empty() ? fail(ErrorCode::Malformed, "an XML file without a snapshot of VMMap")
                         : fail(ErrorCode::Truncated, cut);
    if (!cut.empty()) file_.snapshots.back().notes.push_back({"cut_file", cut + "; what comes before that was read"});
    if (file_.has_unknown_parts)
      file_.snapshots.back().notes.push_back(
          {"unknown_parts", fmt::format("{} is unknown here; only convert from .mmp to .mmp keeps it", unknown_)});
    return std::move(file_);
  }

 private:
  /// Above the regions there are few levels; snapshots may stand directly below the root.
  void walk(const pugi::xml_node& root) {
    if (same_name(root.name(), "Snapshot")) return take_snapshot(root);
    attributes_unknown(root);
    for (const pugi::xml_node& node : root.children()) {
      if (same_name(node.name(), "Snapshot")) {
        take_snapshot(node);
      } else if (same_name(node.name(), "Snapshots")) {
        attributes_unknown(node);
        for (const pugi::xml_node& child : node.children())
          same_name(child.name(), "Snapshot") ? take_snapshot(child) : element_unknown(child);
      } else {
        element_unknown(node);
      }
    }
  }

  void take_snapshot(const pugi::xml_node& node) {
    VmmapTable table;
    for (const pugi::xml_attribute& attribute : node.attributes()) {
      const auto value = number_of(attribute.value());
      if (same_name(attribute.name(), "Timestamp") && value) {
        table.captured_at_unix_ms = unix_ms_of(*value);
      } else if (same_name(attribute.name(), "PageTableSize") && value) {
        table.page_table = *value;
      } else {
        unknown("attribute", attribute.name());
      }
    }
    for (const pugi::xml_node& regions : node.children()) {
      if (!same_name(regions.name(), "MemoryRegions")) {
        element_unknown(regions);
        continue;
      }
      attributes_unknown(regions);
      for (const pugi::xml_node& region : regions.children()) take_region(region, table);
    }
    Address end = 0;
    for (const VmmapRow& row : table.rows)
      if (row.type != RegionType::PageTable)
        end = std::max(end, Range::make(row.address, row.size).value_or(Range{}).end);
    if (end > (std::uint64_t{1} << 32)) table.pointer_bits = 64;
    file_.snapshots.push_back(snapshot_of(std::move(table)));
  }

  void take_region(const pugi::xml_node& node, VmmapTable& table) {
    if (!same_name(node.name(), "Region")) return element_unknown(node);
    const std::size_t index = table.rows.size();
    table.rows.push_back(row_of(node, table));
    for (const pugi::xml_node& child : node.children()) {
      if (!same_name(child.name(), "Region")) {
        element_unknown(child);
        continue;
      }
      VmmapRow block = row_of(child, table);
      block.is_block = true;
      block.type = table.rows[index].type;
      table.rows.push_back(std::move(block));
      for (const pugi::xml_node& deeper : child.children()) element_unknown(deeper);
    }
  }

  VmmapRow row_of(const pugi::xml_node& node, VmmapTable& table) {
    VmmapRow row;
    std::optional<RegionType> use;
    std::string_view protection = "0";
    for (const pugi::xml_attribute& attribute : node.attributes()) {
      const std::string name = folded_name(attribute.name());
      if (name == "type") {
        row.type_text = attribute.value();
      } else if (name == "details") {
        row.details = attribute.value();
      } else if (name == "usetype") {
        if (const auto number = number_of(attribute.value())) use = type_of_use(*number);
      } else {
        take_number(name, attribute, row, table);
        if (name == "protection") protection = attribute.value();
      }
    }
    const auto by_text = parse_vmmap_type(row.type_text);
    if (!use && !by_text)
      table.oddities.add("unknown_type",
                         fmt::format("the region at {:#x} is of no known type; read as Private Data", row.address));
    row.type = use ? *use : by_text.value_or(RegionType::PrivateData);
    if (row.type_text.empty()) row.type_text = vmmap_title(row.type);
    row.usage.total_ws = row.usage.private_ws + row.usage.shareable_ws;
    row.reserved = !row.protection && protection == "0" && row.usage.committed.value_or(1) == 0;
    if (!row.protection && protection != "0")
      table.oddities.add("unknown_protection", fmt::format("the region at {:#x} has protection {}, which is not known",
                                                           row.address, quote(protection)));
    return row;
  }

  void take_number(const std::string& name, const pugi::xml_attribute& attribute, VmmapRow& row, VmmapTable& table) {
    for (const NumberField& field : number_fields) {
      if (field.name != name) continue;
      const auto value = number_of(attribute.value());
      if (value) return field.set(row, *value);
      return table.oddities.add("bad_number", fmt::format("{}={} is not a number; it counts as unknown",
                                                          attribute.name(), quote(attribute.value())));
    }
    unknown("attribute", attribute.name());
  }

  void attributes_unknown(const pugi::xml_node& node) {
    for (const pugi::xml_attribute& attribute : node.attributes()) unknown("attribute", attribute.name());
  }

  void element_unknown(const pugi::xml_node& node) {
    if (node.type() == pugi::node_element) unknown("element", node.name());
  }

  void unknown(std::string_view what, std::string_view name) {
    if (!file_.has_unknown_parts) unknown_ = fmt::format("the {} {}", what, quote(name));
    file_.has_unknown_parts = true;
  }

  MmpFile file_;
  std::string unknown_;
};

/// Takes out the element that was read last: the parser keeps the attributes before the place where a tag breaks.
void remove_last_element(pugi::xml_document& document) {
  pugi::xml_node node = document.last_child();
  while (node.last_child()) node = node.last_child();
  node.parent().remove_child(node);
}

/// Fills `document`; a place where it breaks goes into `cut`.
Result<void> parse(std::string_view text, pugi::xml_document& document, std::string& cut) {
  const auto options = pugi::parse_default | pugi::parse_doctype | pugi::parse_declaration | pugi::parse_comments;
  const pugi::xml_parse_result result = document.load_buffer(text.data(), text.size(), options);
  if (result.status == pugi::status_out_of_memory) return fail(ErrorCode::Io, "out of memory");
  for (const pugi::xml_node& node : document.children())
    if (node.type() == pugi::node_doctype)
      return fail(ErrorCode::Malformed, "it has a document type, which no file of VMMap has: refused");
  if (result.status == pugi::status_bad_start_element || result.status == pugi::status_bad_attribute)
    remove_last_element(document);
  if (!result) cut = fmt::format("not well-formed XML at byte {}: {}", result.offset, result.description());
  return {};
}

class Text : public pugi::xml_writer {
 public:
  void write(const void* data, std::size_t size) override { text.append(static_cast<const char*>(data), size); }
  std::string text;
};

}  // namespace

Result<MmpFile> read_mmp(std::string_view text) {
  pugi::xml_document document;
  std::string cut;
  if (const auto parsed = parse(text, document, cut); !parsed) return std::unexpected(parsed.error());
  return Reader().read(document, cut);
}

Result<std::string> rewrite_mmp(std::string_view text) {
  pugi::xml_document document;
  std::string cut;
  if (const auto parsed = parse(text, document, cut); !parsed) return std::unexpected(parsed.error());
  if (!cut.empty()) return fail(ErrorCode::Truncated, cut);
  Text out;
  document.save(out, "", pugi::format_indent | pugi::format_save_file_text, pugi::encoding_utf8);
  return std::move(out.text);
}

}  // namespace vmscan::formats
