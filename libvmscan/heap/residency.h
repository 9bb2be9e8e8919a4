// Which bytes of a heap lie in pages that are in RAM, counted beside the walk over its blocks. Pages and blocks do not
// end together: a page counts for each part of the heap with the bytes that this part has in it, so that the sums are
// whole pages again.
#pragma once

#include <algorithm>
#include <optional>

#include "libvmscan/heap/heap_report.h"
#include "libvmscan/model/facts.h"

namespace vmscan {

/// For one heap, whose parts come in rising order. Counts nothing where the source does not know what is in RAM.
class ResidencyCounter {
 public:
  ResidencyCounter(const Facts& facts, std::optional<HeapResidency>& residency)
      : pages_(facts.pages), page_size_(facts.target.page_size), residency_(residency) {}

  /// `range` is this part of the heap.
  void add(Range range, std::uint64_t PartBytes::*part) {
    if (!residency_) return;
    if (run_.contains(range))
      residency_->in_ram.*part += range.size();
    else
      add_piecewise(range, part);
  }
  /// The same for a block, with what it shares pages with.
  void add_block(Range block, bool in_use) {
    if (!residency_) return;
    add(block, in_use ? &PartBytes::live : &PartBytes::free);
    const Address last = page_of(block.end - 1);
    if (page_of(block.begin) != page_) enter_page(page_of(block.begin));
    note(block, in_use);
    if (last == page_) return;
    const bool counted = enter_page(last);
    note(block, in_use);
    first_is_counted_ = in_use && counted;
  }
  /// What malloc_trim would give back, as far as it is in RAM.
  void add_trimmable(Range pages) {
    if (residency_ && !pages.empty()) residency_->trimmable += pages_.count(pages).in_ram();
  }
  /// Behind the last block.
  void finish() {
    if (residency_) enter_page(0);
  }

 private:
  Address page_of(Address address) const { return address & ~(page_size_ - 1); }
  void note(Range block, bool in_use) {
    if (in_use)
      ++blocks_in_page_;
    else
      free_in_page_ += std::min(block.end, page_ + page_size_) - std::max(block.begin, page_);
  }
  void add_piecewise(Range range, std::uint64_t PartBytes::*part);
  bool enter_page(Address page);

  const PageRuns& pages_;
  std::uint64_t page_size_;
  std::optional<HeapResidency>& residency_;
  Range run_ = {};    // in RAM; what was added last ended in it
  Address page_ = 0;  // in which the last block ended, and who shares it
  std::uint64_t free_in_page_ = 0, blocks_in_page_ = 0;
  bool first_is_counted_ = false;  // its first block counted in a page before it
};

/// The bytes of `block` belong to another part after all.
void move_part(const PageRuns& pages, Range block, std::uint64_t PartBytes::*from, std::uint64_t PartBytes::*to,
               HeapResidency& residency);

}  // namespace vmscan
