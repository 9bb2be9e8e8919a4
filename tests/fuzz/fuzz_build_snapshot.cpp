// Any facts, however they contradict each other: a snapshot that keeps every law, holds every byte that was mapped, and
// is the same each time.
#include <algorithm>
#include <cstdint>

#include "formats/native/snapshot_json.h"
#include "libvmscan/classify/build_snapshot.h"
#include "tests/fuzz/require.h"
#include "tests/support/facts_text.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

/// The union of the mappings and the pages in RAM there, counted without build_snapshot().
struct Expected {
  std::uint64_t mapped = 0, in_ram = 0;

  explicit Expected(const Facts& facts) {
    std::vector<Range> ranges;
    for (const Mapping& mapping : facts.mappings) ranges.push_back(mapping.range);
    std::sort(ranges.begin(), ranges.end(), [](Range a, Range b) { return a.begin < b.begin; });
    Address end = 0;
    for (Range range : ranges) {
      range.begin = std::max(range.begin, end);
      if (range.empty()) continue;
      mapped += range.size();
      in_ram += facts.pages.count(range).in_ram();
      end = range.end;
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Facts facts = tests::facts_from_text({reinterpret_cast<const char*>(data), size});
  const Expected expected(facts);
  const Snapshot snapshot = build_snapshot(facts);
  require_laws(snapshot);
  std::uint64_t mapped = 0, in_ram = 0;
  for (const Region& region : snapshot.regions) {
    if (region.type == RegionType::Unusable) continue;
    mapped += region.range.size();
    in_ram += region.usage.total_ws.value_or(0);
  }
  require(mapped == expected.mapped, "every mapped byte is in a region");
  require(in_ram == expected.in_ram, "every page in RAM is counted once");
  const std::string written = formats::write_snapshot(snapshot);
  require(written == formats::write_snapshot(build_snapshot(facts)), "the same facts give the same snapshot");
  const auto again = formats::read_snapshot(written);
  require(again.has_value(), again ? "" : ("what was built can be saved and read: " + again.error().message).c_str());
  return 0;
}
