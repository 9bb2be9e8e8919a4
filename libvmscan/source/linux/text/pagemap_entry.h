// One 64-bit entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst) and what it says of its page.
#pragma once

#include <cstdint>

#include "libvmscan/model/pages.h"

namespace vmscan::pagemap {

inline constexpr std::uint64_t present = 1ULL << 63;
inline constexpr std::uint64_t swapped = 1ULL << 62;
inline constexpr std::uint64_t file_or_shared = 1ULL << 61;
inline constexpr std::uint64_t guard = 1ULL << 58;
inline constexpr std::uint64_t exclusive = 1ULL << 56;
inline constexpr std::uint64_t frame = (1ULL << 55) - 1;  // frame number; 0 for who may not see it

/// What of the mapping decides how its entries are read.
struct Context {
  bool shared = false;     // MAP_SHARED, or a mapping that the kernel made ([vvar])
  bool anonymous = false;  // private and without a file
  bool hugetlb = false;
  bool swap_possible = true;          // something is swapped out on this system at all
  std::uint64_t zero_page_frame = 0;  // of the 4 KiB zero page; 0: unknown
};

/// A page that pagemap alone cannot tell from the zero page, which is present but not in Rss. The 4 KiB zero page looks
/// like an anonymous page shared with a fork; the huge one like a page of a file, in a mapping without a file.
inline constexpr std::uint8_t maybe_zero = 128;

/// Condition (vmscan::page bits, perhaps with maybe_zero) of the page behind `entry`; 0 is absent. Seen on Linux 6.18:
/// - a present page of a shared mapping without bit 61 is a special entry (device memory, vvar) that Rss leaves out;
/// - a guard region sets bits 62 and 58; it is not swap;
/// - other markers (userfaultfd write-protect) set bit 62 as well and, for who may see offsets, swap type 31; not swap.
constexpr std::uint8_t condition(std::uint64_t entry, const Context& context) {
  if (entry & present) {
    const bool file = (entry & file_or_shared) != 0;
    const bool sole = (entry & exclusive) != 0;
    if (!file && context.shared && !context.hugetlb) return 0;
    std::uint8_t result = page::present;
    if (file) result |= page::file;
    if (sole) result |= page::exclusive;
    if (context.hugetlb) return result | page::hugetlb;
    const bool frame_tells = context.zero_page_frame != 0 && (entry & frame) != 0;
    if (!file && !sole && frame_tells) return (entry & frame) == context.zero_page_frame ? std::uint8_t{0} : result;
    const bool small_zero = !file && !sole;
    const bool huge_zero = file && context.anonymous;
    return small_zero || huge_zero ? result | maybe_zero : result;
  }
  if (entry & swapped) {
    if (entry & guard) return page::guard;
    constexpr std::uint64_t type_mask = 31, marker_type = 31;
    const bool marker = (entry & type_mask) == marker_type || !context.swap_possible;
    return marker ? std::uint8_t{0} : page::swapped;
  }
  return 0;
}

}  // namespace vmscan::pagemap
