#include "libvmscan/classify/normalise.h"

#include <fmt/format.h>

#include <algorithm>

namespace vmscan {
namespace {

bool before(const Mapping& a, const Mapping& b) {
  return a.range.begin != b.range.begin ? a.range.begin < b.range.begin : a.range.end > b.range.end;
}

// fs/proc/task_mmu.c: the kernel writes [heap] at every mapping that holds the end of brk, also when brk was never used
// and another mapping covers the place: V8 reserves room for code near the executable (seen in Chromium).
void correct_heap_names(Facts& facts) {
  for (Mapping& mapping : facts.mappings)
    if (mapping.path == "[heap]" && mapping.range.begin < facts.brk_start &&
        !(mapping.read && mapping.write && !mapping.execute))  // brk's own may have grown together with .bss
      mapping.path.clear();
}

}  // namespace

void normalise(Facts& facts) {
  correct_heap_names(facts);
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
