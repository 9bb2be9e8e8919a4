#include <fmt/format.h>

#include "formats/vmmap/mmp.h"
#include "formats/vmmap/mmp_values.h"

#include "formats/vmmap/vmmap_table.h"
#include "formats/vmmap/xml_text.h"

namespace vmscan::formats {
namespace {

void append_number(std::string& out, std::string_view name, Bytes value) {
  if (value) out += fmt::format(" {}=\"{}\"", name, *value);
}

/// In the order in which VMMap has them. A number that is unknown is left out: readers take 0 for it.
void append_attributes(std::string& out, const VmmapRow& row) {
  append_number(out, "Address", row.address);
  append_number(out, "Blocks", row.is_block ? Bytes(0) : row.blocks);
  append_number(out, "ShareableWS", row.usage.shareable_ws);
  append_number(out, "SharedWS", row.usage.shared_ws);
  append_number(out, "Size", row.size);
  append_number(out, "Commit", row.usage.committed);
  append_number(out, "PrivateBytes", row.usage.private_bytes);
  append_number(out, "PrivateWS", row.usage.private_ws);
  append_number(out, "Id", row.id.value_or(0));
  append_number(out, "Protection", row.protection ? static_cast<std::uint64_t>(page_constant(*row.protection)) : 0);
  append_number(out, "Storage", 0);
  append_number(out, "UseType", use_type_of(row.type));
  out += fmt::format(" Type=\"{}\" Details=\"{}\"", xml_text(row.type_text), xml_text(row.details));
}

void append_regions(std::string& out, const std::vector<VmmapRow>& rows) {
  bool open = false;
  for (const VmmapRow& row : rows) {
    if (open && !row.is_block) out += "</Region>\n";
    open = open || !row.is_block;
    out += "<Region";
    append_attributes(out, row);
    out += row.is_block ? "/>\n" : ">\n";
  }
  if (open) out += "</Region>\n";
}

}  // namespace

std::string write_mmp(std::span<const Snapshot> snapshots) {
  std::string out = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<root>\n<Snapshots>\n";
  for (const Snapshot& snapshot : snapshots) {
    const VmmapTable table = vmmap_table_of(snapshot);
    out += "<Snapshot";
    if (table.captured_at_unix_ms) append_number(out, "Timestamp", filetime_of(*table.captured_at_unix_ms));
    append_number(out, "PageTableSize", table.page_table);
    out += ">\n<MemoryRegions>\n";
    append_regions(out, table.rows);
    out += "</MemoryRegions>\n</Snapshot>\n";
  }
  return out + "</Snapshots>\n</root>\n";
}

}  // namespace vmscan::formats
