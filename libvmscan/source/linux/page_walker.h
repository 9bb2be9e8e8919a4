// Reads which pages of a process are where, from /proc/PID/pagemap, for little work and a short hold of its locks:
// small mappings directly, in reads of 16 KiB that cover many of them; large ones by looking for the next page in use
// with PAGEMAP_SCAN and reading pagemap from there for as long as it stays dense.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "libvmscan/model/facts.h"

namespace vmscan {

struct PageWalkOptions {
  int pagemap_fd = -1;
  std::uint64_t page_size = 4096;
  bool use_scan = true;               // PAGEMAP_SCAN is available
  bool sharing = true;                // false: of anonymous pages it is enough to know that they are in RAM
  bool swap_possible = true;          // something is swapped out on this system
  std::uint64_t zero_page_frame = 0;  // frame number of the zero page, for who may see frames; 0: unknown
  std::uint64_t resident_bytes = 0;   // about; decides into how many parts large mappings are split
  unsigned threads = 1;
};

/// What the walk needs to know of one mapping. There may be a hundred thousand: it is small.
struct PageWalkMapping {
  Address begin = 0;
  std::uint64_t size : 60 = 0;
  bool shared : 1 = false;     // or made by the kernel
  bool anonymous : 1 = false;  // private without a file
  bool hugetlb : 1 = false;
  bool skip : 1 = false;  // known to have no pages, or counted in another way

  /// Of all of it; addresses have 57 bits at most.
  static PageWalkMapping over(Range range) {
    PageWalkMapping all;
    all.begin = range.begin;
    all.size = range.size() & ((std::uint64_t{1} << 60) - 1);
    return all;
  }
  Range range() const { return {begin, begin + size}; }
};

struct PageWalkResult {
  PageRuns pages;
  /// Bytes in pages that may be the zero page, by the index of their mapping, when there is no PAGEMAP_SCAN to tell.
  /// They are in `pages`.
  std::map<std::size_t, std::uint64_t> maybe_zero_bytes;
  bool address_space_gone = false;  // the process ended or called exec meanwhile
  int error = 0;                    // errno of a read that failed for another reason; 0: none
};

/// `mappings` are sorted and do not overlap.
PageWalkResult walk_pages(const std::vector<PageWalkMapping>& mappings, const PageWalkOptions& options);

}  // namespace vmscan
