// A file that holds snapshots, of any kind that is read here: native, .mmp, VMMap's CSV and TXT.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/files/recognise.h"
#include "formats/native/snapshot_json.h"

namespace vmscan::formats {

class SnapshotFile {
 public:
  /// Whether open() takes a file of this kind.
  static bool reads(FileKind kind);
  /// `content` is unpacked already. Errors: as the reader of its kind.
  static Result<SnapshotFile> open(std::string content, FileKind kind);

  FileKind kind() const { return kind_; }
  std::size_t size() const { return series_ ? series_->size() : snapshots_.size(); }
  Result<Snapshot> at(std::size_t index) const;
  /// The text of a .mmp that holds more than is known here; else empty.
  const std::string& foreign_text() const { return foreign_text_; }

 private:
  FileKind kind_ = FileKind::Snapshot;
  std::optional<Series> series_;     // native: parsed one by one
  std::vector<Snapshot> snapshots_;  // the others
  std::string foreign_text_;
};

}  // namespace vmscan::formats
