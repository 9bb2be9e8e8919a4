#include "formats/files/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "formats/native/snapshot_json.h"
#include "formats/views/text.h"
#include "formats/views/views.h"
#include "formats/vmmap/mmp.h"
#include "formats/vmmap/vmmap_text.h"

namespace vmscan::formats {
namespace {

constexpr std::array<FormatName, 7> formats_table{{
    {FileFormat::Native, "json", "snapshot", FileKind::Snapshot, true},
    {FileFormat::Mmp, "mmp", "VMMap's .mmp", FileKind::Mmp, true},
    {FileFormat::VmmapCsv, "vmmap-csv", "VMMap's CSV", FileKind::VmmapCsv, false},
    {FileFormat::VmmapTxt, "vmmap-txt", "VMMap's TXT", FileKind::VmmapText, false},
    {FileFormat::RegionsCsv, "regions-csv", "CSV of regions", std::nullopt, false},
    {FileFormat::Table, "table", "table", std::nullopt, false},
    {FileFormat::Smaps, "smaps", "smaps", std::nullopt, false},
}};

struct Extension {
  std::string_view text;
  FileFormat format;
};
constexpr std::array<Extension, 7> extensions{{{"json", FileFormat::Native},
                                               {"jsonl", FileFormat::Native},
                                               {"ndjson", FileFormat::Native},
                                               {"mmp", FileFormat::Mmp},
                                               {"csv", FileFormat::VmmapCsv},
                                               {"txt", FileFormat::VmmapTxt},
                                               {"smaps", FileFormat::Smaps}}};

ViewOptions all_details(bool expand) {
  ViewOptions options;
  for (const Column& column : all_columns(View::Details)) options.columns.push_back(&column);
  options.expand = expand;
  return options;
}

std::string write_regions_csv(const Snapshot& snapshot) {
  Table table = details_table(snapshot, all_details(false));
  table.group_name = {};
  return write_csv(table);
}

std::string write_details(const Snapshot& snapshot) {
  ViewOptions options;
  options.expand = options.free = true;
  return write_table(details_table(snapshot, options), {});
}

std::string write_one(const Snapshot& snapshot, FileFormat format) {
  switch (format) {
    case FileFormat::VmmapCsv:
      return write_vmmap_csv(snapshot);
    case FileFormat::VmmapTxt:
      return write_vmmap_txt(snapshot);
    case FileFormat::RegionsCsv:
      return write_regions_csv(snapshot);
    case FileFormat::Table:
      return write_details(snapshot);
    case FileFormat::Smaps:
      return write_smaps(snapshot);
    default:
      return write_snapshot(snapshot);
  }
}

}  // namespace

std::span<const FormatName> file_formats() { return formats_table; }

const FormatName& name_of(FileFormat format) { return formats_table[static_cast<std::size_t>(format)]; }

const FormatName* find_format(std::string_view name) {
  const std::string folded = folded_name(name);
  for (const FormatName& entry : formats_table)
    if (folded_name(entry.name) == folded) return &entry;
  return nullptr;
}

const FormatName* find_format(FileKind kind) {
  for (const FormatName& entry : formats_table)
    if (entry.reads == kind) return &entry;
  return nullptr;
}

std::optional<FileFormat> format_of_name(std::string_view path) {
  path = path.substr(path.find_last_of("/\\") + 1);
  if (path.ends_with(".zst")) path.remove_suffix(4);
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return FileFormat::Mmp;
  const std::string extension = folded_name(path.substr(dot + 1));
  for (const Extension& entry : extensions)
    if (entry.text == extension) return entry.format;
  return std::nullopt;
}

Converted convert(std::span<const Snapshot> snapshots, FileFormat format) {
  Converted converted;
  if (snapshots.empty()) return converted;
  if (!name_of(format).holds_series && snapshots.size() > 1) {
    converted.notes.push_back({"last_of_series", fmt::format("{} holds one snapshot: the last of {} was written",
                                                             name_of(format).title, snapshots.size())});
    snapshots = snapshots.last(1);
  }
  for (const Snapshot& snapshot : snapshots)
    for (Note& note : losses(snapshot, format)) {
      const auto same = [&](const Note& other) { return other.code == note.code; };
      if (std::none_of(converted.notes.begin(), converted.notes.end(), same))
        converted.notes.push_back(std::move(note));
    }
  if (format == FileFormat::Mmp) {
    converted.parts.push_back(write_mmp(snapshots));
  } else {
    for (const Snapshot& snapshot : snapshots) converted.parts.push_back(write_one(snapshot, format));
  }
  return converted;
}

}  // namespace vmscan::formats
