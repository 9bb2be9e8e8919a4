// The columns that a view can show: their names, titles and order, and the user's choice among them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/model/usage.h"

namespace vmscan::formats {

/// What a cell of a column holds; decides alignment and how numbers are printed.
/// Change: what happened to a region. Delta: a signed size or count. Percent: signed hundredths of a percent.
enum class CellKind { Text, Type, Change, Address, Size, Count, Delta, Percent };

/// Texts, types and addresses; what is right-aligned is an amount.
constexpr bool is_left_aligned(CellKind kind) {
  return kind == CellKind::Text || kind == CellKind::Type || kind == CellKind::Change || kind == CellKind::Address;
}

struct Column {
  std::string_view name;   // in JSON, CSV and on the command line
  std::string_view title;  // in tables
  CellKind kind = CellKind::Text;
  Bytes Usage::*usage = nullptr;  // for the columns of Usage
};

/// Which table: the summary has blocks and largest, details have addresses, protections and details; the regions of a
/// diff have what happened to them, and deltas for sizes.
enum class View { Summary, Details, Diff };

/// Every column that exists for a view, in the order in which tables show them.
std::span<const Column> all_columns(View view);
/// The columns that a view shows when nothing is asked for.
std::vector<const Column*> default_columns(View view);

/// Applies "a,b,c" (exactly these), "+a,b" (these too) or "-a,b" (without these) to the default columns.
/// The key column (type or address) always stays first. Error: an unknown name, with the nearest that exists.
Result<std::vector<const Column*>> choose_columns(View view, std::string_view choice);

/// Finds a column by its JSON name or its title, in any case; "-" and "_" and blank are the same.
const Column* find_column(View view, std::string_view name);

struct SortOrder {
  const Column* column = nullptr;  // null: the natural order of the view
  bool descending = true;
};
/// Parses "COL", "COL:asc", "COL:desc". Sizes, counts and deltas sort descending, text and addresses ascending when not
/// told.
Result<SortOrder> parse_sort(View view, std::string_view text);

}  // namespace vmscan::formats
