#include "formats/views/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "formats/views/text.h"
#include "formats/views/type_colors.h"

namespace vmscan::formats {
namespace {

constexpr std::size_t gap = 2;           // blanks between two columns
constexpr std::size_t block_indent = 2;  // blanks before the first cell of a block
constexpr std::size_t marker_width = 2;  // "■ "
constexpr std::size_t narrow_text = 28;  // texts are not shortened below this while columns can be left out
constexpr std::size_t narrowest_text = 8;

// From the least important one on. Type, address, size, total WS and details always stay.
constexpr std::array<std::string_view, 22> left_out_first{
    "locked_ws", "swap_pss", "huge",         "referenced", "dirty",        "pss",          "hugetlb",    "swap",
    "regions",   "build_id", "blocks",       "shared_ws",  "shareable_ws", "largest",      "private_ws", "protection",
    "private",   "overhead", "largest_free", "unread",     "free_blocks",  "cached_blocks"};
// Only when even the shortest texts leave no room.
constexpr std::array<std::string_view, 2> left_out_last{"evidence", "rule"};

constexpr std::string_view shortened_first = "rules";  // the parts to which they belong say more

/// Long texts may be shortened; names of types and protections may not.
bool is_elastic(const Column& column) { return column.kind == CellKind::Text && column.name != "protection"; }

struct Layout {
  const Column* column = nullptr;
  std::size_t index = 0;  // in Table::columns and Row::cells
  std::size_t width = 0;

  std::size_t narrowest(std::size_t limit) const {
    if (!is_elastic(*column)) return width;
    return std::min(width, column->name == shortened_first ? narrowest_text : limit);
  }
};

class TableWriter {
 public:
  TableWriter(const Table& table, const TableStyle& style) : table_(table), style_(style) {}

  std::string write(std::vector<std::string>* left_out) {
    measure();
    if (style_.width != 0) fit(left_out);
    if (style_.header) write_header();
    for (const Row& row : table_.rows) write_row(row);
    return std::move(out_);
  }

 private:
  void measure() {
    for (std::size_t i = 0; i < table_.columns.size(); ++i) {
      const Column& column = table_.columns[i];
      Layout layout{&column, i, style_.header ? display_width(column.title) : 0};
      for (const Row& row : table_.rows) layout.width = std::max(layout.width, width_of(row, i));
      layout_.push_back(layout);
    }
  }

  std::size_t width_of(const Row& row, std::size_t index) const {
    const std::size_t indent = index == 0 && row.kind == Row::Kind::Block ? block_indent : 0;
    return indent + (has_marker(index) ? marker_width : 0) + display_width(text_of(row, index));
  }

  bool has_marker(std::size_t index) const { return style_.color && table_.columns[index].kind == CellKind::Type; }

  std::string text_of(const Row& row, std::size_t index) const {
    if (index >= row.cells.size()) return {};
    const Cell& cell = row.cells[index];
    switch (table_.columns[index].kind) {
      case CellKind::Text:
        return escape_for_terminal(cell.text);
      case CellKind::Change:
        return change_text(cell.text);
      case CellKind::Type:
        if (row.repeats_type) return {};
        if (row.kind == Row::Kind::Total && table_.partial && !row.cells[index].text.empty()) return "All types";
        return row.type ? std::string(title_of(*row.type)) : escape_for_terminal(cell.text);
      case CellKind::Address:
        return cell.number.known() ? fmt::format("{:#x}", *cell.number) : "?";
      case CellKind::Size:
      case CellKind::Count:
      case CellKind::Delta:
      case CellKind::Percent:
        return amount_text(cell, table_.columns[index].kind);
    }
    return {};
  }

  static std::string change_text(const std::string& change) {
    return (change == "added" ? "+ " : change == "removed" ? "- " : "  ") + change;
  }

  /// 0 is an empty cell, so that what is there stands out.
  std::string amount_text(const Cell& cell, CellKind kind) const {
    const std::string_view sign = kind == CellKind::Size || kind == CellKind::Count ? "" : cell.negative ? "-" : "+";
    if (cell.number == Bytes{0}) return cell.text.empty() ? std::string{} : fmt::format("{}{}", sign, cell.text);
    if (!cell.number.known()) return kind == CellKind::Percent ? "" : "?";
    if (kind == CellKind::Percent) return fmt::format("{}{}", sign, format_hundredths(*cell.number));
    const bool counts = kind == CellKind::Count || cell.count;
    return fmt::format("{}{}", sign, counts ? format_count(cell.number) : format_size(cell.number, style_.units));
  }

  /// Width of the table when texts are shortened to `limit`.
  std::size_t width_with(std::size_t limit) const {
    std::size_t width = 0;
    for (const Layout& layout : layout_) width += layout.narrowest(limit) + gap;
    return width - std::min(width, gap);
  }

  void fit(std::vector<std::string>* left_out) {
    leave_out_unknown(left_out);
    leave_out(left_out_first, false, narrow_text, left_out);
    leave_out(left_out_last, false, narrowest_text, left_out);
    leave_out(left_out_first, true, narrowest_text, left_out);
    leave_out(left_out_last, true, narrowest_text, left_out);
    shorten_texts(width_with(narrow_text) <= style_.width ? narrow_text : narrowest_text);
  }

  /// Whether a column holds anything but unknowns and zeros.
  bool says_something(const Layout& layout) const {
    bool unknown = false;
    for (const Row& row : table_.rows) {
      if (layout.column->kind != CellKind::Size || layout.index >= row.cells.size()) return true;
      const Bytes value = row.cells[layout.index].number;
      if (value.value_or(0) > 0) return true;
      unknown |= !value.known();
    }
    return !unknown;
  }

  /// What is nowhere known (RAM, in a core) makes room first.
  void leave_out_unknown(std::vector<std::string>* left_out) {
    for (std::size_t i = layout_.size(); i-- > 0 && width_with(narrow_text) > style_.width;) {
      if (is_asked(layout_[i]) || says_something(layout_[i])) continue;
      if (left_out != nullptr) left_out->emplace_back(layout_[i].column->title);
      layout_.erase(layout_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  bool is_asked(const Layout& layout) const {
    return std::find(style_.asked.begin(), style_.asked.end(), layout.column->name) != style_.asked.end();
  }

  /// Drops columns, those that were asked for or the others, until it fits with texts of `text_width`.
  void leave_out(std::span<const std::string_view> names, bool asked, std::size_t text_width,
                 std::vector<std::string>* left_out) {
    for (const std::string_view name : names) {
      if (width_with(text_width) <= style_.width) break;
      const auto found = std::find_if(layout_.begin(), layout_.end(),
                                      [name](const Layout& layout) { return layout.column->name == name; });
      if (found == layout_.end() || is_asked(*found) != asked) continue;
      if (left_out != nullptr) left_out->emplace_back(found->column->title);
      layout_.erase(found);
    }
  }

  /// Takes what is too wide from the texts, from the last one on.
  void shorten_texts(std::size_t limit) {
    std::size_t width = 0;
    for (const Layout& layout : layout_) width += layout.width + gap;
    width -= std::min(width, gap);
    std::size_t excess = width - std::min(width, style_.width);
    for (auto layout = layout_.rbegin(); layout != layout_.rend(); ++layout) {
      const std::size_t taken = std::min(excess, layout->width - layout->narrowest(limit));
      layout->width -= taken;
      excess -= taken;
    }
  }

  void write_header() {
    begin_style("\x1b[1m");
    const std::size_t begin = out_.size();
    for (const Layout& layout : layout_) write_cell(layout, layout.column->title, 0);
    end_line(begin, style_.color);
  }

  void write_row(const Row& row) {
    const bool styled = style_.color && (row.kind == Row::Kind::Total || row.tint != Row::Tint::None);
    if (styled) out_ += style_of(row);
    const std::size_t begin = out_.size();
    for (const Layout& layout : layout_) {
      std::string text = text_of(row, layout.index);
      std::size_t used = 0;
      if (layout.index == 0 && row.kind == Row::Kind::Block) used += write_blanks(block_indent);
      if (has_marker(layout.index)) used += write_marker(row);
      const std::size_t room = layout.width - std::min(layout.width, used);
      if (is_elastic(*layout.column)) text = shorten(text, room);
      write_cell(layout, text, used);
    }
    end_line(begin, styled);
  }

  /// Writes the text of a cell of which `used` columns are already written, and the gap behind it.
  void write_cell(const Layout& layout, std::string_view text, std::size_t used) {
    const std::size_t taken = used + display_width(text);
    const std::size_t padding = layout.width - std::min(layout.width, taken);
    if (!is_left_aligned(layout.column->kind)) out_.append(padding, ' ');
    out_ += text;
    if (is_left_aligned(layout.column->kind)) out_.append(padding, ' ');
    out_.append(gap, ' ');
  }

  std::size_t write_blanks(std::size_t count) {
    out_.append(count, ' ');
    return count;
  }

  std::size_t write_marker(const Row& row) {
    if (!row.type || row.repeats_type || row.kind == Row::Kind::Block) return write_blanks(marker_width);
    fmt::format_to(std::back_inserter(out_), "\x1b[38;5;{}m■\x1b[0m {}", color_of(*row.type), style_of(row));
    return marker_width;
  }

  static std::string_view style_of(const Row& row) {
    if (row.tint != Row::Tint::None) return row.tint == Row::Tint::Added ? "\x1b[32m" : "\x1b[31m";
    return row.kind == Row::Kind::Total ? "\x1b[1m" : "";
  }

  void begin_style(std::string_view code) {
    if (style_.color) out_ += code;
  }

  void end_line(std::size_t begin, bool styled) {
    while (out_.size() > begin && out_.back() == ' ') out_.pop_back();
    if (styled) out_ += "\x1b[0m";
    out_ += '\n';
  }

  const Table& table_;
  const TableStyle& style_;
  std::vector<Layout> layout_;
  std::string out_;
};

}  // namespace

std::string write_table(const Table& table, const TableStyle& style, std::vector<std::string>* left_out) {
  return TableWriter(table, style).write(left_out);
}

}  // namespace vmscan::formats
