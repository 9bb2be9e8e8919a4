// Any bytes as VMMap's CSV, TXT or .mmp, packed or not: an error, or a snapshot that is sound and can be written again.
#include <cstdint>

#include "formats/files/compression.h"
#include "formats/files/convert.h"
#include "formats/vmmap/mmp.h"
#include "formats/vmmap/vmmap_text.h"
#include "tests/fuzz/require.h"

using namespace vmscan;
using namespace vmscan::tests;
using namespace vmscan::formats;

namespace {

constexpr std::uint64_t unpacked_limit = 1 << 20;

void check_snapshot(const Snapshot& snapshot) {
  require(broken_structure(snapshot).empty(), "the structure of a snapshot that was read");
  for (const FormatName& entry : file_formats()) {
    const Converted converted = convert(std::span(&snapshot, 1), entry.format);
    require(converted.parts.size() == 1, "one snapshot is one part");
    require(convert(std::span(&snapshot, 1), entry.format).parts == converted.parts, "the same bytes again");
  }
  const auto mmp = read_mmp(write_mmp(std::span(&snapshot, 1)));
  require(mmp && mmp->snapshots.size() == 1, "what was written as .mmp can be read");
  require(mmp->snapshots[0].regions.size() == snapshot.regions.size(), "the .mmp holds the regions");
  require(read_vmmap_csv(write_vmmap_csv(snapshot)).has_value(), "what was written as CSV can be read");
  require(read_vmmap_txt(write_vmmap_txt(snapshot)).has_value(), "what was written as TXT can be read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  recognise(text);
  if (auto unpacked = unpack(text, compression_of(text), unpacked_limit)) text = std::move(unpacked->content);
  if (const auto csv = read_vmmap_csv(text)) check_snapshot(*csv);
  if (const auto txt = read_vmmap_txt(text)) check_snapshot(*txt);
  if (const auto file = read_mmp(text); file && file->snapshots.size() < 8)
    for (const Snapshot& snapshot : file->snapshots) check_snapshot(snapshot);
  rewrite_mmp(text);
  return 0;
}
