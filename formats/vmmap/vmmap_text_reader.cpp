#include <fmt/format.h>

#include <algorithm>

#include "formats/views/text.h"
#include "formats/vmmap/vmmap_cells.h"
#include "formats/vmmap/vmmap_text.h"

namespace vmscan::formats {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// The meaning of a column of either table.
enum class Meaning : std::uint8_t { Ignored, Address, Type, Size, Usage, Blocks, Largest, Protection, Details };

struct Title {
  std::string_view text;
  Meaning meaning;
  Bytes Usage::*usage = nullptr;
};

constexpr std::array<Title, 14> titles{{
    {"Address", Meaning::Address},
    {"Type", Meaning::Type},
    {"Size", Meaning::Size},
    {"Committed", Meaning::Usage, &Usage::committed},
    {"Private", Meaning::Usage, &Usage::private_bytes},
    {"Total WS", Meaning::Usage, &Usage::total_ws},
    {"Private WS", Meaning::Usage, &Usage::private_ws},
    {"Shareable WS", Meaning::Usage, &Usage::shareable_ws},
    {"Shared WS", Meaning::Usage, &Usage::shared_ws},
    {"Locked WS", Meaning::Usage, &Usage::locked_ws},
    {"Blocks", Meaning::Blocks},
    {"Largest", Meaning::Largest},
    {"Protection", Meaning::Protection},
    {"Details", Meaning::Details},
}};

struct Column {
  Title title;
  std::size_t begin = 0;  // TXT: code points before it
};

const Title* find_title(std::string_view text) {
  const std::string folded = folded_name(trimmed_cell(text));
  const auto same = [&](const Title& title) { return folded_name(title.text) == folded; };
  const auto found = std::find_if(titles.begin(), titles.end(), same);
  return found == titles.end() ? nullptr : &*found;
}

/// Code points [begin, end) of a text.
std::string_view slice(std::string_view text, std::size_t begin, std::size_t end) {
  const auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  std::size_t seen = 0, from = text.size(), to = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_start(text[i])) continue;
    if (seen == begin) from = i;
    if (seen == end) {
      to = i;
      break;
    }
    ++seen;
  }
  return text.substr(from, to - from);
}

class TableReader {
 public:
  explicit TableReader(bool csv) : csv_(csv) {}

  Result<Snapshot> read(std::string_view text) {
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    bool other_code_page = false;
    const std::string converted = as_utf8(text, other_code_page);
    if (other_code_page)
      table_.oddities.add("code_page", "texts that are not UTF-8 were read as Latin-1: names may look odd");
    std::string_view rest = converted;
    const bool ended = rest.ends_with('\n');
    for (std::string_view line; next_line(rest, line);) {
      ++number_;
      last_ = rest.empty() && !ended;
      if (!trimmed_cell(line).empty()) take(line);
    }
    if (section_ != Section::Details && number_ != 0 && !saw_heading_)
      return fail(ErrorCode::Malformed, "no table of VMMap: a header with Address, Type and Size is missing");
    if (section_ != Section::Details) return fail(ErrorCode::Truncated, "the file ends before the table of regions");
    return snapshot_of(std::move(table_));
  }

 private:
  enum class Section : std::uint8_t { Head, Summary, Details };

  void take(std::string_view line) {
    if (take_header(line)) return;
    if (section_ == Section::Head) return take_heading(line);
    const auto cells = cells_of(line);
    if (!cells) return;
    if (section_ == Section::Summary) {
      take_total(*cells);
    } else {
      take_row(*cells);
    }
  }

  void odd(std::string_view code, std::string_view what) {
    table_.oddities.add(code, fmt::format("line {}: {}", number_, what));
  }

  /// A line that names Type and Size, and Address when it heads the regions.
  bool take_header(std::string_view line) {
    const auto columns = csv_ ? csv_header(line) : text_header(line);
    const auto has = [&](Meaning meaning) {
      return std::any_of(columns.begin(), columns.end(), [&](const Column& c) { return c.title.meaning == meaning; });
    };
    if (!has(Meaning::Type) || !has(Meaning::Size) || !has(Meaning::Usage)) return false;
    // In text every blank of a name or of Details looks like one between cells: only the first title tells.
    const Meaning first = columns.front().title.meaning;
    if (!csv_ && first != Meaning::Type && first != Meaning::Address) return false;
    section_ = has(Meaning::Address) ? Section::Details : Section::Summary;
    saw_heading_ = true;
    columns_ = columns;
    return true;
  }

  std::vector<Column> csv_header(std::string_view line) {
    for (const char separator : {',', ';', '\t'}) {
      const CsvLine split = split_csv(line, separator);
      if (split.cells.size() < 4) continue;
      std::vector<Column> columns;
      for (const std::string& cell : split.cells) {
        const Title* title = find_title(cell);
        columns.push_back({title == nullptr ? Title{{}, Meaning::Ignored} : *title});
      }
      if (trimmed_cell(split.cells.back()).empty()) columns.pop_back();  // the last comma of a header
      const auto known = std::count_if(columns.begin(), columns.end(),
                                       [](const Column& column) { return column.title.meaning != Meaning::Ignored; });
      if (known < 3) continue;
      separator_ = separator;
      return columns;
    }
    return {};
  }

  /// Titles are at least two blanks apart.
  static std::vector<Column> text_header(std::string_view line) {
    std::vector<Column> columns;
    for (std::size_t at = line.find_first_not_of(' '); at != std::string_view::npos && at < line.size();) {
      const std::size_t end = std::min(line.find("  ", at), line.size());
      const Title* title = find_title(line.substr(at, end - at));
      columns.push_back({title == nullptr ? Title{{}, Meaning::Ignored} : *title, display_width(line.substr(0, at))});
      at = line.find_first_not_of(' ', end);
    }
    return columns;
  }

  void take_heading(std::string_view line) {
    std::string name, value;
    if (csv_) {
      const char separator = line.find(";") != std::string_view::npos && line.find(',') == std::string_view::npos ? ';'
                             : line.find('\t') != std::string_view::npos                                          ? '\t'
                                                                                                                  : ',';
      const CsvLine split = split_csv(line, separator);
      name = split.cells.front();
      if (split.cells.size() > 1) value = split.cells[1];
    } else {
      const std::size_t colon = line.find(':');
      name = line.substr(0, colon == std::string_view::npos ? line.size() : colon + 1);
      if (colon != std::string_view::npos) value = trimmed_cell(line.substr(colon + 1));
    }
    const std::string folded = folded_name(trimmed_cell(name));
    saw_heading_ = saw_heading_ || folded == "process:" || folded == "pid:";
    if (folded == "process:") table_.process = value;
    const auto pid = parse_vmmap_size(value, 1);
    if (folded == "pid:" && pid && *pid > 0 && *pid <= 0xFFFFFFFF) table_.pid = static_cast<std::uint32_t>(*pid);
  }

  std::optional<std::vector<std::string>> cells_of(std::string_view line) {
    std::vector<std::string> cells;
    if (!csv_) {
      if (last_) odd("cut_table", "the file ends in the middle of a line");
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        const std::size_t end = i + 1 < columns_.size() ? columns_[i + 1].begin : std::string_view::npos;
        cells.emplace_back(slice(line, i == 0 ? 0 : columns_[i].begin, end));
      }
      return cells;
    }
    CsvLine split = split_csv(line, separator_);
    if (split.cells.size() == columns_.size() + 1 && split.cells.back().empty()) split.cells.pop_back();
    if (split.open_quote || split.cells.size() < columns_.size()) {
      odd(last_ ? "cut_table" : "bad_row", last_ ? "the table ends in the middle of a row" : "too few cells; left out");
      return std::nullopt;
    }
    if (split.cells.size() > columns_.size()) {
      odd("bad_row", "too many cells; left out");
      return std::nullopt;
    }
    if (last_ && !line.ends_with('"')) odd("cut_table", "the file ends without the end of a line");
    return std::move(split.cells);
  }

  Bytes size_of(const std::string& cell, std::uint64_t unit = 1024) {
    const auto size = parse_vmmap_size(cell, unit);
    if (!size) odd("bad_number", fmt::format("{} is not a size; it counts as unknown", quote(cell)));
    return size ? Bytes(*size) : Bytes();
  }

  void take_total(const std::vector<std::string>& cells) {
    TypeTotal row;
    std::string title;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const Title& column = columns_[i].title;
      if (column.meaning == Meaning::Type) title = trimmed_cell(cells[i]);
      if (column.meaning == Meaning::Size) row.size = size_of(cells[i]);
      if (column.meaning == Meaning::Usage) row.usage.*column.usage = size_of(cells[i]);
    }
    const auto type = parse_vmmap_type(title);
    if (!type) {
      if (folded_name(title) != "total") odd("bad_row", fmt::format("{} is not a type of memory", quote(title)));
      return;
    }
    row.type = *type;
    table_.summary[static_cast<std::size_t>(*type)] = row;
    if (*type == RegionType::PageTable) table_.page_table = row.size;
  }

  void take_row(const std::vector<std::string>& cells) {
    VmmapRow row;
    Bytes size;
    bool indented = false, without_blocks = false, good = false;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const Title& column = columns_[i].title;
      const std::string& cell = cells[i];
      switch (column.meaning) {
        case Meaning::Address:
          indented = cell.starts_with(' ') || cell.starts_with('\t');
          good = take_address(cell, row);
          break;
        case Meaning::Type:
          take_type(cell, row);
          break;
        case Meaning::Size:
          size = size_of(cell);
          break;
        case Meaning::Usage:
          row.usage.*column.usage = size_of(cell);
          break;
        case Meaning::Blocks:
          without_blocks = trimmed_cell(cell).empty();
          row.blocks = size_of(cell, 1);
          break;
        case Meaning::Protection:
          take_protection(trimmed_cell(cell), row);
          break;
        case Meaning::Details:
          row.details = trimmed_cell(cell);
          break;
        case Meaning::Largest:
        case Meaning::Ignored:
          break;
      }
    }
    if (!good || !size) return odd("bad_row", "no address or no size; left out");
    row.size = *size;
    row.is_block = indented || (without_blocks && region_.contains(row.address));
    if (!row.is_block) region_ = Range::make(row.address, row.size).value_or(Range{});
    table_.rows.push_back(std::move(row));
  }

  bool take_address(const std::string& cell, VmmapRow& row) {
    const auto address = parse_vmmap_address(cell);
    if (!address) return false;
    row.address = *address;
    const std::size_t digits = trimmed_cell(cell).size();
    if (digits == 8 && !table_.pointer_bits) table_.pointer_bits = 32;
    if (digits == 16) table_.pointer_bits = 64;
    return true;
  }

  void take_type(const std::string& cell, VmmapRow& row) {
    row.type_text = trimmed_cell(cell);
    const auto type = parse_vmmap_type(row.type_text);
    if (!type) odd("unknown_type", fmt::format("{} is not a type of memory; read as Private Data", quote(cell)));
    row.type = type.value_or(RegionType::PrivateData);
  }

  void take_protection(std::string_view text, VmmapRow& row) {
    row.reserved = folded_name(text) == "reserved";
    if (text.empty() || row.reserved) return;
    row.protection = parse_protection(text);
    if (!row.protection) {  // "Read/Write/WriteCombine", "…/NoCache"
      row.protection = parse_protection(text.substr(0, text.rfind('/')));
      odd("unknown_protection", fmt::format("{} is not a protection that is known here", quote(text)));
    }
  }

  bool csv_;
  VmmapTable table_;
  Section section_ = Section::Head;
  std::vector<Column> columns_;
  char separator_ = ',';
  std::size_t number_ = 0;
  bool last_ = false;  // the last line, and it has no end
  bool saw_heading_ = false;
  Range region_;  // the last top-level row
};

}  // namespace

Result<Snapshot> read_vmmap_csv(std::string_view text) { return TableReader(true).read(text); }
Result<Snapshot> read_vmmap_txt(std::string_view text) { return TableReader(false).read(text); }

}  // namespace vmscan::formats
