// Which bytes of a heap lie in pages that are in RAM, counted beside the walk over its blocks. Pages and blocks do not
// end together: a page counts for each part of the heap with the bytes that this part has in it, so that the sums are
// whole pages again.
#pragma once

#include <optional>

#include "libvmscan/model/facts.h"
#include "libvmscan/owners/allocators/heap_report.h"

namespace vmscan {

/// For one heap. Counts nothing where the source does not know what is in RAM.
class ResidencyCounter {
 public:
  ResidencyCounter(const Facts& facts, std::optional<HeapResidency>& residency)
      : pages_(facts.pages), residency_(residency) {}

  /// `range` is this part of the heap. Fast in rising order.
  void add(Range range, std::uint64_t PartBytes::*part) {
    if (!residency_) return;
    if (run_.contains(range))
      residency_->in_ram.*part += range.size();
    else
      add_piecewise(range, part);
  }

 private:
  void add_piecewise(Range range, std::uint64_t PartBytes::*part);

  const PageRuns& pages_;
  std::optional<HeapResidency>& residency_;
  Range run_ = {};  // in RAM; what was added last ended in it
};

/// The bytes of `block` belong to another part after all.
void move_part(const PageRuns& pages, Range block, std::uint64_t PartBytes::*from, std::uint64_t PartBytes::*to,
               HeapResidency& residency);

}  // namespace vmscan
