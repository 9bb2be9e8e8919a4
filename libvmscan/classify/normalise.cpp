#include "libvmscan/classify/normalise.h"

#include <fmt/format.h>

#include <algorithm>

namespace vmscan {
namespace {

bool before(const Mapping& a, const Mapping& b) {
  return a.range.begin != b.range.begin ? a.range.begin < b.range.begin : a.range.end > b.range.end;
}

}  // namespace

void normalise(Facts& facts) {
  if (!std::is_sorted(facts.mappings.begin(), facts.mappings.end(), before))
    std::stable_sort(facts.mappings.begin(), facts.mappings.end(), before);
  std::size_t cut = 0;
  Address end = 0;
  for (Mapping& mapping : facts.mappings) {
    if (mapping.range.begin < end) {
      ++cut;
      const Address begin = std::min(end, mapping.range.end);
      mapping.offset += begin - mapping.range.begin;
      mapping.range.begin = begin;
      mapping.smaps = nullptr;
      mapping.counted = nullptr;
    }
    end = std::max(end, mapping.range.end);
  }
  std::erase_if(facts.mappings, [](const Mapping& mapping) { return mapping.range.empty(); });
  if (cut > 0)
    facts.notes.push_back(
        {"overlapping_mappings", fmt::format("{} mappings overlapped others and were cut: the map changed "
                                             "while it was read, or the source contradicts itself",
                                             cut)});
}

}  // namespace vmscan
