// What a file is, by its content and never by its name. The only place that knows the beginnings of files.
#pragma once

#include <string_view>

namespace vmscan::formats {

enum class FileKind {
  Empty,
  Snapshot,   // native: one or a series
  Mmp,        // VMMap's XML
  VmmapCsv,   // VMMap's export
  VmmapText,  // VMMap's export
  Zstd,
  Gzip,
  ElfCore,   // by e_type
  OtherElf,  // a program or a library
  Minidump,
  Smaps,      // /proc/PID/smaps or maps as text
  OtherJson,  // one of our own documents that is no snapshot
  OtherXml,
  Beginning,  // too short to tell: the first bytes of one of the above
  Unknown,
};

/// Whether it holds the memory of a process, and may be larger than ours.
constexpr bool holds_memory(FileKind kind) { return kind == FileKind::ElfCore || kind == FileKind::Minidump; }

/// Whether more than the beginning is needed, to read it or to say what it is.
constexpr bool needs_all(FileKind kind) {
  using enum FileKind;
  return holds_memory(kind) || kind == Snapshot || kind == OtherJson || kind == Mmp || kind == VmmapCsv ||
         kind == VmmapText;
}

/// Looks at the first bytes only; 64 KiB of the file are enough for every kind.
FileKind recognise(std::string_view first_bytes);

/// For an error message about a file of a kind that cannot be read here: what it is, and what to do.
std::string_view explanation(FileKind kind);

}  // namespace vmscan::formats
