// Which pages of a process are where: runs of pages in the same condition, as the kernel reports them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libvmscan/base/range.h"

namespace vmscan {

/// Condition of a page, a set of bits. Absent pages (0) are not stored.
namespace page {
inline constexpr std::uint8_t present = 1;    // in RAM and counted by the kernel (Rss or hugetlb)
inline constexpr std::uint8_t file = 2;       // of a file or of shared memory (pagemap bit 61)
inline constexpr std::uint8_t exclusive = 4;  // mapped once (pagemap bit 56)
inline constexpr std::uint8_t swapped = 8;
inline constexpr std::uint8_t guard = 16;  // guard region (MADV_GUARD_INSTALL)
inline constexpr std::uint8_t hugetlb = 32;
}  // namespace page

struct PageRun {
  Range range;
  std::uint8_t condition = 0;
};

/// Bytes in each condition within a range.
struct PageCounts {
  std::uint64_t anonymous_exclusive = 0;  // in RAM
  std::uint64_t anonymous_shared = 0;     // in RAM
  std::uint64_t file_exclusive = 0;       // in RAM
  std::uint64_t file_shared = 0;          // in RAM
  std::uint64_t swapped = 0;
  std::uint64_t guard = 0;
  std::uint64_t hugetlb = 0;  // in RAM, part of the four first

  std::uint64_t in_ram() const { return anonymous_exclusive + anonymous_shared + file_exclusive + file_shared; }
  std::uint64_t anonymous() const { return anonymous_exclusive + anonymous_shared + swapped; }
};

/// Runs sorted by address, not overlapping. Grows at the end only.
class PageRuns {
 public:
  /// Appends; a run that touches the last one in the same condition extends it. `range` must not lie before the end.
  void append(Range range, std::uint8_t condition);
  const std::vector<PageRun>& runs() const { return runs_; }
  /// The runs that overlap `range`, by address.
  std::span<const PageRun> touching(Range range) const;
  /// Sums over the part of the runs inside `range`. Fast when ranges are asked for in rising order (one cursor each).
  PageCounts count(Range range) const;
  /// The parts of `range` that are guard pages.
  std::vector<Range> guards(Range range) const { return parts(range, page::guard); }
  /// The parts of `range` that are in RAM.
  std::vector<Range> present(Range range) const { return parts(range, page::present); }
  /// The parts of `range` that are in RAM or swapped out.
  std::vector<Range> held(Range range) const { return parts(range, page::present | page::swapped); }
  /// Whether any page of `range` is swapped out.
  bool any_swapped(Range range) const;

 private:
  std::vector<Range> parts(Range range, std::uint8_t condition) const;

  std::vector<PageRun> runs_;
  bool swapped_ = false;  // any of them is swapped out
};

}  // namespace vmscan
