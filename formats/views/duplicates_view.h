// Equal strings, counted, as lines of a table, CSV or JSON.
#pragma once

#include <string>
#include <string_view>

#include "formats/views/strings_view.h"
#include "libvmscan/strings/string_record.h"

namespace vmscan::formats {

class DuplicatesView {
 public:
  /// `snapshot` must live as long as this.
  /// `compared`: with a base, of which the records tell.
  DuplicatesView(const Snapshot& snapshot, const StringsStyle& style, bool compared)
      : snapshot_(snapshot), style_(style), compared_(compared) {}

  std::string head() const;
  /// Appends a line. In JSON each line begins with a comma, which the caller takes off the first.
  void append(const StringRecord& string, std::string_view text, std::string& out) const;

 private:
  void append_row(const StringRecord& string, std::string_view text, std::string& out) const;
  void append_object(const StringRecord& string, std::string_view text, std::string& out) const;

  const Snapshot& snapshot_;
  StringsStyle style_;
  bool compared_;
};

}  // namespace vmscan::formats
