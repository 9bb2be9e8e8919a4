#include "formats/views/duplicates_view.h"

#include <fmt/format.h>

#include <vector>

#include "formats/native/document.h"
#include "formats/native/json_writer.h"
#include "formats/views/columns.h"
#include "formats/views/table.h"
#include "formats/views/text.h"

namespace vmscan::formats {
namespace {

constexpr std::size_t types_width = 24;

/// The cells of a table before the text. `before` is empty when there is no base.
std::string table_line(std::string_view count, std::string_view before, std::string_view bytes, std::string_view sum,
                       std::string_view encoding, const std::string& types) {
  const std::string base = before.empty() ? "" : fmt::format("{:>10}  ", before);
  return fmt::format("{:>10}  {}{:>6}  {:>13}  {:<8}  {}  ", count, base, bytes, sum, encoding, types);
}

std::vector<RegionType> types_of(const StringRecord& string) {
  std::vector<RegionType> types;
  for (const auto& known : region_types)
    if ((string.types >> static_cast<unsigned>(known.type) & 1) != 0) types.push_back(known.type);
  return types;
}

/// Filled up with blanks, or without its end; the width of fmt counts bytes of "…". Plain ASCII comes in.
std::string padded(std::string text) {
  if (text.size() > types_width) return fmt::format("{}…", text.substr(0, types_width - 1));
  return text.append(types_width - text.size(), ' ');
}

}  // namespace

std::string DuplicatesView::head() const {
  if (style_.format == StringsFormat::Json) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.key("schema");
    json.string(duplicates_schema);
    write_head(json, snapshot_);
    json.key("strings");
    json.begin_array();
    return out += '\n';
  }
  if (!style_.header) return {};
  if (style_.format == StringsFormat::Csv)
    return fmt::format("count,length,bytes,wasted_bytes,{}encoding,types,address,text\n",
                       compared_ ? "base_count,grown_bytes," : "");
  if (style_.format != StringsFormat::Table) return {};
  return table_line("Count", compared_ ? "Before" : "", "Bytes", compared_ ? "Grown by" : "Wasted", "Encoding",
                    padded("Types")) +
         "Text\n";
}

void DuplicatesView::append(const StringRecord& string, std::string_view text, std::string& out) const {
  if (style_.format == StringsFormat::Text)
    append_last_cell(text, !style_.terminal, false, 0, out);
  else if (style_.format == StringsFormat::Table || style_.format == StringsFormat::Csv)
    append_row(string, text, out);
  else
    append_object(string, text, out);
}

void DuplicatesView::append_row(const StringRecord& string, std::string_view text, std::string& out) const {
  std::string types;
  const bool csv = style_.format == StringsFormat::Csv;
  for (const RegionType type : types_of(string)) {
    if (!types.empty()) types += csv ? " " : ", ";
    types += csv ? name_of(type) : title_of(type);
  }
  if (csv) {
    out += fmt::format("{},{},{},{},", string.count, string.characters, string.size, string.wasted_bytes());
    if (compared_) out += fmt::format("{},{},", string.base_count, string.grown_bytes());
    out += fmt::format("{},{},{:#x},{}\n", formats::name_of(string.encoding), types, string.address, csv_text(text));
    return;
  }
  const std::size_t begin = out.size();
  out += table_line(format_count(string.count), compared_ ? format_count(string.base_count) : "",
                    format_count(string.size), format_count(compared_ ? string.grown_bytes() : string.wasted_bytes()),
                    formats::name_of(string.encoding), padded(types));
  const std::size_t used = display_width(std::string_view(out).substr(begin));
  const std::size_t room = style_.width == 0 ? 0 : style_.width > used + 12 ? style_.width - used : 12;
  append_last_cell(text, false, string.continues, room, out);
}

void DuplicatesView::append_object(const StringRecord& string, std::string_view text, std::string& out) const {
  if (style_.format == StringsFormat::Json) out += ',';
  JsonWriter json(out);
  json.begin_object();
  json.key("count");
  json.number(string.count);
  json.key("length");
  json.number(std::uint64_t{string.characters});
  json.key("bytes");
  json.number(std::uint64_t{string.size});
  json.key("wasted_bytes");
  json.number(string.wasted_bytes());
  if (compared_) {
    json.key("base_count");
    json.number(string.base_count);
    json.key("grown_bytes");
    json.number(string.grown_bytes());
  }
  json.key("encoding");
  json.string(formats::name_of(string.encoding));
  json.key("types");
  json.begin_array();
  for (const RegionType type : types_of(string)) json.string(vmscan::name_of(type));
  json.end_array();
  json.key("address");
  json.address(string.address);
  json.key("text");
  json.string(text);
  json.end_object();
  out += '\n';
}

}  // namespace vmscan::formats
