// Any bytes: an error, or a snapshot that is sound and comes back the same.
#include <cstdint>

#include "formats/native/snapshot_json.h"
#include "formats/views/views.h"
#include "tests/fuzz/require.h"

using namespace vmscan;
using namespace vmscan::tests;
using namespace vmscan::formats;

namespace {

void check_snapshot(const Snapshot& snapshot) {
  require(broken_structure(snapshot).empty(), "the structure of a snapshot that was read");
  const std::string written = write_snapshot(snapshot);
  const auto again = read_snapshot(written);
  require(again.has_value(), "what was written can be read");
  require(write_snapshot(*again) == written, "what was read is written the same");
  ViewOptions options;
  options.expand = options.free = options.explain = true;
  write_table(details_table(snapshot, options), {.color = true, .width = 80});
  write_csv(summary_table(snapshot, options));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  looks_like_snapshot(text);
  if (const auto snapshot = read_snapshot(text)) check_snapshot(*snapshot);
  const auto series = Series::open(text);
  if (!series) return 0;
  for (std::size_t i = 0; i < series->size() && i < 4; ++i) {
    if (const auto snapshot = series->at(i)) check_snapshot(*snapshot);
  }
  return 0;
}
