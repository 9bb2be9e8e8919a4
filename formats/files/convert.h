// Snapshots in any form that is written here, and what a form cannot hold.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/files/recognise.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan::formats {

enum class FileFormat : std::uint8_t { Native, Mmp, VmmapCsv, VmmapTxt, RegionsCsv, Table, Smaps };

struct FormatName {
  FileFormat format;
  std::string_view name;          // of --from and --to
  std::string_view title;         // in messages
  std::optional<FileKind> reads;  // nothing: only written
  bool holds_series = false;
};

std::span<const FormatName> file_formats();
const FormatName& name_of(FileFormat format);
const FormatName* find_format(std::string_view name);
const FormatName* find_format(FileKind kind);

/// What a name asks for: .json .jsonl .mmp .csv (VMMap's) .txt (VMMap's) .smaps; without an extension .mmp, as VMMap
/// has it; .zst behind any of them does not count. Nothing for other extensions.
std::optional<FileFormat> format_of_name(std::string_view path);

struct Converted {
  std::vector<std::string> parts;  // one a snapshot where the format is a series of documents, else one
  std::vector<Note> notes;         // what was left out or changed
};

/// Writes all snapshots, or the last where the format holds one. The same snapshots give the same bytes.
Converted convert(std::span<const Snapshot> snapshots, FileFormat format);

/// As /proc/PID/smaps has it: a header and fields for each block. What is unknown is left out.
std::string write_smaps(const Snapshot& snapshot);

/// What this format cannot hold of the snapshot, a note for each kind of loss.
std::vector<Note> losses(const Snapshot& snapshot, FileFormat format);

}  // namespace vmscan::formats
