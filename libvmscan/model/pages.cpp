#include "libvmscan/model/pages.h"

#include <algorithm>

namespace vmscan {
namespace {

/// The first run that ends after `address`.
std::vector<PageRun>::const_iterator first_after(const std::vector<PageRun>& runs, Address address) {
  return std::partition_point(runs.begin(), runs.end(),
                              [address](const PageRun& run) { return run.range.end <= address; });
}

void add_present(PageCounts& counts, std::uint8_t condition, std::uint64_t size) {
  const bool exclusive = (condition & page::exclusive) != 0;
  if ((condition & page::file) != 0) {
    (exclusive ? counts.file_exclusive : counts.file_shared) += size;
  } else {
    (exclusive ? counts.anonymous_exclusive : counts.anonymous_shared) += size;
  }
  if ((condition & page::hugetlb) != 0) counts.hugetlb += size;
}

/// A guard page is neither in RAM nor in swap, whatever other bits the kernel sets for it.
void add(PageCounts& counts, std::uint8_t condition, std::uint64_t size) {
  if ((condition & page::guard) != 0) {
    counts.guard += size;
  } else if ((condition & page::present) != 0) {
    add_present(counts, condition, size);
  } else if ((condition & page::swapped) != 0) {
    counts.swapped += size;
  }
}

}  // namespace

void PageRuns::append(Range range, std::uint8_t condition) {
  if (!runs_.empty()) range.begin = std::max(range.begin, runs_.back().range.end);  // no page counts twice
  if (range.empty() || condition == 0) return;
  swapped_ |= (condition & page::swapped) != 0;
  if (!runs_.empty() && runs_.back().range.end == range.begin && runs_.back().condition == condition) {
    runs_.back().range.end = range.end;
  } else {
    runs_.push_back({range, condition});
  }
}

std::span<const PageRun> PageRuns::touching(Range range) const {
  const auto begin = first_after(runs_, range.begin);
  const auto end =
      std::partition_point(begin, runs_.end(), [&](const PageRun& run) { return run.range.begin < range.end; });
  return {begin, end};
}

PageCounts PageRuns::count(Range range) const {
  PageCounts counts;
  for (auto run = first_after(runs_, range.begin); run != runs_.end() && run->range.begin < range.end; ++run) {
    add(counts, run->condition, run->range.intersect(range).size());
  }
  return counts;
}

bool PageRuns::any_swapped(Range range) const {
  return swapped_ &&
         std::ranges::any_of(touching(range), [](const PageRun& run) { return (run.condition & page::swapped) != 0; });
}

std::vector<Range> PageRuns::parts(Range range, std::uint8_t condition) const {
  std::vector<Range> found;
  for (auto run = first_after(runs_, range.begin); run != runs_.end() && run->range.begin < range.end; ++run) {
    if ((run->condition & condition) == 0) continue;
    const Range part = run->range.intersect(range);
    if (part.empty()) continue;
    if (!found.empty() && found.back().end == part.begin) {
      found.back().end = part.end;
    } else {
      found.push_back(part);
    }
  }
  return found;
}

}  // namespace vmscan
