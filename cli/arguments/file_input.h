// A file of any kind, or standard input, recognised by its content and unpacked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/failure.h"
#include "formats/files/recognise.h"
#include "libvmscan/base/file_bytes.h"
#include "libvmscan/model/target.h"

namespace vmscan::cli {

struct FileInput {
  std::string name;  // in messages
  formats::FileKind kind = formats::FileKind::Unknown;
  FileBytes bytes;  // of a core or a minidump: the file itself, or what came packed or from a pipe, in a temporary file
  std::string text;  // of all others
  std::vector<Note> notes;
};

/// Failures name the file: it is not there, may not be read, cannot be unpacked, or there is no room to unpack it.
Expected<FileInput> load_file(const std::string& path);

}  // namespace vmscan::cli
