// The PAGEMAP_SCAN ioctl (Linux 6.7; Documentation/admin-guide/mm/pagemap.rst). Our own declarations: build hosts have
// older headers than the kernels the program meets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libvmscan/base/range.h"

namespace vmscan {

namespace scan {
inline constexpr std::uint64_t present = 1 << 3;
inline constexpr std::uint64_t swapped = 1 << 4;
inline constexpr std::uint64_t zero_page = 1 << 5;
inline constexpr std::uint64_t huge = 1 << 6;  // behind one entry of the upper page table

struct PageRegion {
  std::uint64_t start, end, categories;
};
}  // namespace scan

class PagemapScan {
 public:
  /// Takes an open /proc/PID/pagemap, not owned, and the size of a page in bytes.
  PagemapScan(int pagemap_fd, std::uint64_t page_size) : fd_(pagemap_fd), page_size_(page_size) {}

  /// Whether this kernel has it; asks once per object with an empty range.
  bool available() const;

  struct Found {
    std::size_t regions = 0;
    Address next = 0;  // where to go on; the end of the range when it is done
  };
  /// Finds pages in `range` that are in any of `categories` and in none of `without`; stops after `max_pages` of them
  /// (0: no bound) or when `out` is full. Nothing on failure (errno tells).
  std::optional<Found> find(Range range, std::uint64_t categories, std::uint64_t max_pages,
                            std::span<scan::PageRegion> out, std::uint64_t without = 0) const;

 private:
  int fd_;
  std::uint64_t page_size_;
};

}  // namespace vmscan
