#include "formats/views/strings_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "formats/native/document.h"
#include "formats/native/json_writer.h"
#include "formats/views/table.h"
#include "formats/views/text.h"
#include "formats/views/type_colors.h"

namespace vmscan::formats {
namespace {

constexpr std::size_t address_width = 14, length_width = 7, encoding_width = 8, type_width = 12;
constexpr std::size_t narrow = 100;  // terminals: below, the encoding has no room

void append_number(std::string& out, std::uint64_t number, int base) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number, base).ptr);
}

void pad(std::string& out, std::size_t used, std::size_t width) {
  if (used < width) out.append(width - used, ' ');
}

void append_padded(std::string& out, std::string_view text, std::size_t width) {
  out += text;
  pad(out, display_width(text), width);
}

void append_csv(std::string& out, std::string_view text) {
  const bool plain = text.find_first_of(",\"\r\n") == std::string_view::npos;
  if (!plain) out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  if (!plain) out += '"';
}

/// The first `width` characters, the last of them "…" when there are more.
std::string_view cut(std::string_view text, std::size_t width, bool& was_cut) {
  was_cut = false;
  if (text.size() <= width || display_width(text) <= width) return text;
  was_cut = true;
  std::size_t seen = 0, i = 0;
  for (; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && seen++ == width - 1) break;
  }
  return text.substr(0, i);
}

/// "/usr/…/libc.so.6 .rodata".
std::string where_of(const Region& region, const Block& block, std::size_t width) {
  std::string section = escape_for_terminal(block.details);
  const std::string details = escape_for_terminal(region.details);
  if (!section.empty() && !details.empty()) section.insert(0, " ");
  const std::size_t room = width == 0 ? details.size() : width;
  const std::size_t used = display_width(section);
  if (used + 8 > room && used + display_width(details) > room && width != 0) return shorten(details, room);
  return (width == 0 ? details : shorten(details, room - std::min(used, room))) + section;
}

/// Details stand in each line: however long the names in a hostile file are, a line is not.
std::string_view in_line(std::string_view details) {
  constexpr std::size_t longest = 1024;
  return details.substr(0, longest);
}

}  // namespace

std::string_view name_of(StringEncoding encoding) {
  constexpr std::array<std::string_view, 4> names{"ascii", "utf8", "utf16le", "utf16be"};
  return names[static_cast<std::size_t>(encoding)];
}

void append_text_of(std::span<const std::uint8_t> bytes, StringEncoding encoding, std::string& out) {
  if (encoding == StringEncoding::Ascii || encoding == StringEncoding::Utf8) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());  // NOLINT: bytes are text here
    return;
  }
  for (std::size_t i = encoding == StringEncoding::Utf16be ? 1 : 0; i < bytes.size(); i += 2) {
    const unsigned c = bytes[i];  // the other byte is 0 (printable.h)
    if (c >= 0x80) out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(c < 0x80 ? c : 0x80 | (c & 0x3F));
  }
}

StringsView::StringsView(const Snapshot& snapshot, const StringsStyle& style) : snapshot_(snapshot), style_(style) {
  if (style_.format == StringsFormat::Table) {
    std::size_t longest = 5;
    for (const Region& region : snapshot.regions)
      for (const Block& block : region.blocks) longest = std::max(longest, display_width(where_of(region, block, 0)));
    encoding_shown_ = style_.width == 0 || style_.width >= narrow;
    const std::size_t fixed =
        address_width + length_width + type_width + 8 + (encoding_shown_ ? encoding_width + 2 : 0);
    where_width_ = std::min<std::size_t>(longest, style_.width == 0 ? 40 : std::max<std::size_t>(18, style_.width / 5));
    if (style_.width != 0)
      text_width_ = style_.width > fixed + where_width_ + 12 ? style_.width - fixed - where_width_ : 12;
  }
  if (style_.format == StringsFormat::Text) return;
  for (const Region& region : snapshot.regions)
    for (const Block& block : region.blocks) places_.push_back({block.range, cells_of(region, block)});
}

std::size_t StringsView::piece_bytes() const {
  constexpr std::size_t usual_cells = 256, most_text = 1 << 20, least_string = 4, least_piece = 4 << 10;
  std::size_t longest = 0;
  for (const Place& place : places_) longest = std::max(longest, place.cells.size());
  return longest <= usual_cells ? 0 : std::max(least_piece, most_text / longest * least_string);
}

std::string StringsView::cells_of(const Region& region, const Block& block) const {
  std::string cells;
  if (style_.format == StringsFormat::Table) {
    if (style_.color) cells += fmt::format("\x1b[38;5;{}m", color_of(region.type));
    append_padded(cells, title_of(region.type), type_width);
    if (style_.color) cells += "\x1b[0m";
    cells += "  ";
    append_padded(cells, where_of(region, block, where_width_), where_width_);
    return cells += "  ";
  }
  if (style_.format == StringsFormat::Csv) {
    cells += vmscan::name_of(region.type);
    cells += ',';
    append_csv(cells, in_line(region.details));
    cells += ',';
    append_csv(cells, in_line(block.details));
    return cells += ',';
  }
  JsonWriter json(cells);
  json.key("type");
  json.string(vmscan::name_of(region.type));
  json.key("details");
  json.string(in_line(region.details));
  json.key("block");
  json.string(in_line(block.details));
  return cells += ',';
}

std::string_view StringsView::cells_at(Address address) const {
  const auto at = std::partition_point(places_.begin(), places_.end(),
                                       [=](const Place& place) { return place.range.end <= address; });
  return at == places_.end() ? std::string_view() : std::string_view(at->cells);
}

std::string StringsView::head() const {
  if (style_.format == StringsFormat::JsonLines || style_.format == StringsFormat::Text) return {};
  if (style_.format == StringsFormat::Json) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    json.key("schema");
    json.string(strings_schema);
    write_head(json, snapshot_);
    json.key("strings");
    json.begin_array();
    return out += '\n';
  }
  if (!style_.header) return {};
  if (style_.format == StringsFormat::Csv) return "address,length,bytes,encoding,type,details,block,continues,text\n";
  std::string out;
  append_padded(out, "Address", address_width + 1);
  out += " Length  ";
  if (encoding_shown_) append_padded(out, "Encoding", encoding_width + 2);
  append_padded(out, "Type", type_width + 2);
  append_padded(out, "Details", where_width_ + 2);
  return out += "Text\n";
}

void StringsView::append(const StringBatch& batch, const FoundString& found, std::string& out) const {
  const auto bytes = batch.text_of(found);
  const Address address = batch.address + found.offset;
  const bool continues = batch.continues && &found == &batch.strings.back();
  if (found.encoding == StringEncoding::Ascii || found.encoding == StringEncoding::Utf8) {
    const auto* const text = reinterpret_cast<const char*>(bytes.data());  // NOLINT: bytes are text here
    return append(address, found, std::string_view(text, bytes.size()), continues, out);
  }
  std::string text;
  append_text_of(bytes, found.encoding, text);
  append(address, found, text, continues, out);
}

void StringsView::append(Address address, const FoundString& found, std::string_view text, bool continues,
                         std::string& out) const {
  switch (style_.format) {
    case StringsFormat::Text:
      append_last_cell(text, !style_.terminal, false, 0, out);
      return;
    case StringsFormat::Table:
    case StringsFormat::Csv:
      return append_row(address, found, text, continues, out);
    case StringsFormat::Json:
    case StringsFormat::JsonLines:
      return append_object(address, found, text, continues, out);
  }
}

void StringsView::append_row(Address address, const FoundString& found, std::string_view text, bool continues,
                             std::string& out) const {
  if (style_.format == StringsFormat::Csv) {
    out += "0x";
    append_number(out, address, 16);
    out += ',';
    append_number(out, found.characters, 10);
    out += ',';
    append_number(out, found.size, 10);
    out += ',';
    out += name_of(found.encoding);
    out += ',';
    out += cells_at(address);
    out += continues ? "true," : "false,";
    append_csv(out, text);
    out += '\n';
    return;
  }
  const std::size_t begin = out.size();
  out += "0x";
  append_number(out, address, 16);
  pad(out, out.size() - begin, address_width);
  const std::string length = std::to_string(found.characters);
  pad(out, length.size(), length_width + 1);
  out += length;
  out += "  ";
  if (encoding_shown_) append_padded(out, name_of(found.encoding), encoding_width + 2);
  out += cells_at(address);
  const bool plain = found.encoding == StringEncoding::Ascii && text.find('\t') == std::string_view::npos;
  append_last_cell(text, plain, continues, text_width_, out);
}

void StringsView::append_object(Address address, const FoundString& found, std::string_view text, bool continues,
                                std::string& out) const {
  if (style_.format == StringsFormat::Json) out += ',';
  JsonWriter json(out);
  json.begin_object();
  json.key("address");
  json.address(address);
  json.key("length");
  json.number(std::uint64_t{found.characters});
  json.key("bytes");
  json.number(std::uint64_t{found.size});
  json.key("encoding");
  json.string(name_of(found.encoding));
  out += ',';
  out += cells_at(address);
  out += continues ? "\"continues\":true,\"text\":" : "\"continues\":false,\"text\":";
  JsonWriter(out).string(text);
  out += "}\n";
}

void append_last_cell(std::string_view text, bool plain, bool continues, std::size_t width, std::string& out) {
  const std::string escaped = plain ? std::string() : escape_for_terminal(text);
  const std::string_view whole = plain ? text : std::string_view(escaped);
  bool was_cut = false;
  out += width == 0 ? whole : cut(whole, width, was_cut);
  if (was_cut || continues) out += "…";
  out += '\n';
}

std::string strings_tail(const StringsSummary& summary, StringsFormat format) {
  if (format != StringsFormat::Json) return {};
  std::string out = "],";
  JsonWriter json(out);
  json.key("scan");
  json.begin_object();
  json.key("strings");
  json.number(summary.totals.strings);
  json.key("read_bytes");
  json.number(summary.totals.read_bytes);
  json.key("absent_bytes");
  json.number(summary.absent_bytes);
  json.key("unreadable_bytes");
  json.number(summary.totals.unreadable_bytes);
  json.end_object();
  write_notes(json, summary.notes);
  return out += "}\n";
}

}  // namespace vmscan::formats
