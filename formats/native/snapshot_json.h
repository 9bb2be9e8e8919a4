// The native format, "vmscan.snapshot/1": one JSON document a snapshot, JSON Lines for a series.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan::formats {

inline constexpr std::string_view snapshot_schema = "vmscan.snapshot/1";

/// One line with LF at its end; the same snapshot gives the same bytes. Unknown columns are left out.
std::string write_snapshot(const Snapshot& snapshot);

/// Reads one document. Unknown fields are ignored, unknown enum values become a Note.
/// Errors: Malformed (not JSON, another schema, a broken region: says where), Truncated (ends too early).
Result<Snapshot> read_snapshot(std::string_view text);

/// Whether `text` begins like a file of ours (after white space: an object whose first key is "schema").
bool looks_like_snapshot(std::string_view text);

/// A file of one or more snapshots, one a line, without parsing them all.
class Series {
 public:
  /// Splits; a last line that is not whole (no closing brace before its LF or the end) is left out with a Note.
  /// Errors: Malformed when there is no whole snapshot at all, Truncated when there is only the beginning of one.
  static Result<Series> open(std::string text);
  std::size_t size() const { return lines_.size(); }
  const std::vector<Note>& notes() const { return notes_; }
  /// Parses the snapshot at `index`; the notes of the file are added to its own.
  Result<Snapshot> at(std::size_t index) const;

 private:
  std::string text_;
  std::vector<std::pair<std::size_t, std::size_t>> lines_;  // offset and length in text_
  std::vector<Note> notes_;
};

}  // namespace vmscan::formats
