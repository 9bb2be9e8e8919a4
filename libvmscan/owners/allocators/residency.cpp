#include "libvmscan/owners/allocators/residency.h"

#include <algorithm>

namespace vmscan {

void ResidencyCounter::add_piecewise(Range range, std::uint64_t PartBytes::*part) {
  if (!residency_) return;
  run_ = {};
  for (const PageRun& run : pages_.touching(range)) {
    const std::uint64_t size = run.range.intersect(range).size();
    if ((run.condition & page::guard) != 0) continue;
    if ((run.condition & page::present) != 0) {
      residency_->in_ram.*part += size;
      run_ = run.range;
    } else if ((run.condition & page::swapped) != 0) {
      residency_->swapped.*part += size;
    }
  }
}

void move_part(const PageRuns& pages, Range block, std::uint64_t PartBytes::*from, std::uint64_t PartBytes::*to,
               HeapResidency& residency) {
  const PageCounts counts = pages.count(block);
  const auto move = [&](PartBytes& parts, std::uint64_t bytes) {
    const std::uint64_t moved = std::min(parts.*from, bytes);
    parts.*from -= moved;
    parts.*to += moved;
  };
  move(residency.in_ram, counts.in_ram());
  move(residency.swapped, counts.swapped);
}

}  // namespace vmscan
