// A table before it is text: cells with their meaning, so that one writer can align and another can quote.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/views/columns.h"
#include "libvmscan/model/region.h"

namespace vmscan::formats {

/// A cell: a number (bytes, count or address), a text, or unknown.
struct Cell {
  Bytes number;           // unknown: prints as "?" in a table, as an empty cell in CSV
  std::string text;       // for Text and Change, for Type in a row without a type; of an amount: instead of 0
  bool negative = false;  // of Delta and Percent: `number` is the magnitude
  bool count = false;     // a number of things in a column of sizes
};

struct Row {
  enum class Kind : std::uint8_t { Top, Block, Total };
  Kind kind = Kind::Top;
  std::optional<RegionType> type;  // colours the row
  std::vector<Cell> cells;         // one for each column
  std::string_view group;          // text of the column Table::group_name
  bool repeats_type = false;       // the row above has the same type, which a table shows once
  enum class Tint : std::uint8_t { None, Added, Removed };
  Tint tint = Tint::None;  // green, red
};

struct Table {
  std::vector<Column> columns;
  std::string_view group_name;  // a first column that only CSV has ("row": "region" or "block"); empty: none
  std::vector<Row> rows;
  bool partial = false;  // rows were chosen, but the total is of all: a table says so
};

enum class Units { Auto, B, K, M, G };

struct TableStyle {
  Units units = Units::K;
  bool color = false;
  std::size_t width = 0;  // columns of the terminal; 0: as wide as it needs
  bool header = true;
  std::vector<std::string_view> asked{};  // names of columns that the user asked for: left out last
};

/// Aligned text; 0 is an empty cell, unknown is "?". When it would be wider than style.width, long texts are shortened
/// in the middle, then the least important columns are left out, those that were asked for behind all others; their
/// titles are returned in `left_out`. Ends each line with LF. Whatever the texts hold, no control character gets out.
std::string write_table(const Table& table, const TableStyle& style, std::vector<std::string>* left_out = nullptr);

/// RFC 4180 with LF line ends: a header of column names, integers in bytes, addresses as 0x…, unknown is empty.
std::string write_csv(const Table& table, bool header = true);
/// One text, quoted where RFC 4180 asks for it.
std::string csv_text(std::string_view text);

/// "1,234,567", or with units: K without a suffix ("1,206"), M and G with one decimal ("1,206.3"), Auto as "1.2 M".
/// Rounds half up; but K rounds up and less than half a tenth is "<0.1", so that something is never shown as nothing.
/// "?" when unknown.
std::string format_size(Bytes bytes, Units units);
std::string format_count(Bytes count);
/// "1,170.14" from 117014.
std::string format_hundredths(std::uint64_t hundredths);
/// a * 10000 / b, rounded half up, without overflow; nothing when it does not fit. b is not 0.
std::optional<std::uint64_t> ten_thousandths(std::uint64_t a, std::uint64_t b);

}  // namespace vmscan::formats
