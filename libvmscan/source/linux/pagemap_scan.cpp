#include "libvmscan/source/linux/pagemap_scan.h"

#include <sys/ioctl.h>

namespace vmscan {
namespace {

struct PmScanArg {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
static_assert(sizeof(PmScanArg) == 96);

const unsigned long pagemap_scan_ioctl = _IOWR('f', 16, PmScanArg);

}  // namespace

bool PagemapScan::available() const {
  PmScanArg arg{};
  arg.size = sizeof arg;
  return ::ioctl(fd_, pagemap_scan_ioctl, &arg) == 0;
}

std::optional<PagemapScan::Found> PagemapScan::find(Range range, std::uint64_t categories, std::uint64_t max_pages,
                                                    std::span<scan::PageRegion> out, std::uint64_t without) const {
  PmScanArg arg{};
  arg.size = sizeof arg;
  arg.start = range.begin;
  arg.end = range.end;
  arg.vec = reinterpret_cast<std::uintptr_t>(out.data());
  arg.vec_len = out.size();
  arg.max_pages = max_pages;
  arg.category_inverted = arg.category_mask = without;
  arg.category_anyof_mask = categories;
  arg.return_mask = categories;
  const int count = ::ioctl(fd_, pagemap_scan_ioctl, &arg);
  if (count < 0) return std::nullopt;
  const auto regions = static_cast<std::size_t>(count);
  // walk_end can be stale behind 512 regions (Linux 6.18): when there was room left and no bound, the scan is complete.
  std::uint64_t bytes = 0;
  for (const scan::PageRegion& region : out.first(regions)) bytes += region.end - region.start;
  const bool bounded = max_pages != 0 && bytes / page_size_ >= max_pages;
  const bool complete = regions < out.size() && !bounded;
  Address next = complete ? range.end : regions > 0 ? out[regions - 1].end : arg.walk_end;
  if (next <= range.begin) next = range.end;
  return Found{regions, next};
}

}  // namespace vmscan
