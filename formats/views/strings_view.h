// Strings found in memory as lines of a table, CSV or JSON, one string a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/model/snapshot.h"
#include "libvmscan/strings/scan_memory.h"

namespace vmscan::formats {

inline constexpr std::string_view strings_schema = "vmscan.strings/1", duplicates_schema = "vmscan.duplicates/1";

/// "ascii", "utf8", "utf16le", "utf16be".
std::string_view name_of(StringEncoding encoding);

/// The text of a string as UTF-8.
void append_text_of(std::span<const std::uint8_t> bytes, StringEncoding encoding, std::string& out);

enum class StringsFormat { Table, Csv, Json, JsonLines, Text };  // Text: nothing but the strings, one a line

struct StringsStyle {
  StringsFormat format = StringsFormat::Table;
  std::size_t width = 0;  // columns of the terminal: longer texts are cut; 0: whole texts
  bool color = false;
  bool header = true;
  bool terminal = false;  // Text goes to one, and must not harm it
};

/// What a scan did, for the end of a document.
struct StringsSummary {
  ScanTotals totals;
  std::uint64_t absent_bytes = 0;
  std::vector<Note> notes;
};

/// What comes behind the strings of a JSON document; nothing in other formats.
std::string strings_tail(const StringsSummary& summary, StringsFormat format);
/// Appends a text as the last cell of a line of a table: escaped, and cut to `width` columns unless that is 0.
void append_last_cell(std::string_view text, bool plain, bool continues, std::size_t width, std::string& out);

class StringsView {
 public:
  /// `snapshot` must live as long as this.
  StringsView(const Snapshot& snapshot, const StringsStyle& style);

  /// What comes before the strings.
  std::string head() const;
  /// ScanOptions::piece_bytes for these lines: each repeats the details of its region, and those of a hostile file are
  /// long. 0: as usual.
  std::size_t piece_bytes() const;
  /// Appends a line for one string of the batch; may be called on several threads. In JSON each line begins with a
  /// comma, which the caller takes off the first.
  void append(const StringBatch& batch, const FoundString& found, std::string& out) const;
  /// The same for a string whose text, in UTF-8, is at hand.
  void append(Address address, const FoundString& found, std::string_view text, bool continues, std::string& out) const;

 private:
  struct Place {  // a block
    Range range;
    std::string cells;  // its type, details and section in the form of a line
  };
  std::string cells_of(const Region& region, const Block& block) const;
  std::string_view cells_at(Address address) const;
  void append_row(Address address, const FoundString& found, std::string_view text, bool continues,
                  std::string& out) const;
  void append_object(Address address, const FoundString& found, std::string_view text, bool continues,
                     std::string& out) const;

  const Snapshot& snapshot_;
  StringsStyle style_;
  std::size_t where_width_ = 0, text_width_ = 0;  // 0: as long as it is
  bool encoding_shown_ = true;
  std::vector<Place> places_;
};

}  // namespace vmscan::formats
