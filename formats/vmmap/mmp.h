// VMMap's .mmp: XML, root > Snapshots > Snapshot > MemoryRegions > Region > Region (blocks), one element a line,
// decimal bytes. Compatible with what is publicly known of it (readers of the format), not tested in VMMap.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan::formats {

struct MmpFile {
  std::vector<Snapshot> snapshots;  // the last is the current one
  bool has_unknown_parts = false;   // attributes or elements that this version does not know
};

/// Reads by name, in any case and order. An attribute that is not there is unknown; a file that ends too early keeps
/// what came before, with a Note. Memory is a small multiple of the input. Errors: Malformed (another document, a
/// document type, entities), Truncated (no snapshot yet), Unsupported (a build without an XML library).
Result<MmpFile> read_mmp(std::string_view text);

/// The same document again, one element a line, with everything in it that read_mmp() does not know.
Result<std::string> rewrite_mmp(std::string_view text);

/// The same snapshots give the same bytes. Written in every build.
std::string write_mmp(std::span<const Snapshot> snapshots);

}  // namespace vmscan::formats
