#include "formats/files/snapshot_file.h"

#include <fmt/format.h>

#include "formats/vmmap/mmp.h"
#include "formats/vmmap/vmmap_text.h"

namespace vmscan::formats {
namespace {

Result<std::vector<Snapshot>> read_others(std::string_view content, FileKind kind, bool& is_foreign) {
  if (kind == FileKind::Mmp) {
    auto file = read_mmp(content);
    if (!file) return std::unexpected(file.error());
    is_foreign = file->has_unknown_parts;
    return std::move(file->snapshots);
  }
  auto snapshot = kind == FileKind::VmmapCsv ? read_vmmap_csv(content) : read_vmmap_txt(content);
  if (!snapshot) return std::unexpected(snapshot.error());
  std::vector<Snapshot> snapshots;
  snapshots.push_back(std::move(*snapshot));
  return snapshots;
}

}  // namespace

bool SnapshotFile::reads(FileKind kind) {
  switch (kind) {
    case FileKind::Snapshot:
    case FileKind::OtherJson:  // the reader says which document it is
    case FileKind::Mmp:
    case FileKind::VmmapCsv:
    case FileKind::VmmapText:
      return true;
    default:
      return false;
  }
}

Result<SnapshotFile> SnapshotFile::open(std::string content, FileKind kind) {
  if (!reads(kind)) return fail(ErrorCode::Unsupported, std::string(explanation(kind)));
  SnapshotFile file;
  file.kind_ = kind;
  if (kind == FileKind::Snapshot || kind == FileKind::OtherJson) {
    auto series = Series::open(std::move(content));
    if (!series) return std::unexpected(series.error());
    file.series_ = std::move(*series);
    return file;
  }
  bool is_foreign = false;
  auto snapshots = read_others(content, kind, is_foreign);
  if (!snapshots) return std::unexpected(snapshots.error());
  file.snapshots_ = std::move(*snapshots);
  if (is_foreign) file.foreign_text_ = std::move(content);
  return file;
}

Result<Snapshot> SnapshotFile::at(std::size_t index) const {
  if (series_) return series_->at(index);
  if (index >= snapshots_.size())
    return fail(ErrorCode::NotFound, fmt::format("there is no snapshot {}; the file holds {}", index, size()));
  return snapshots_[index];
}

}  // namespace vmscan::formats
