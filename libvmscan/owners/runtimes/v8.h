// What the layouts of V8's heap have in common.
#pragma once

#include <string_view>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {

inline constexpr std::uint64_t v8_page_bytes = 256 << 10;
// Flags of a page: src/heap/memory-chunk.h.
inline constexpr std::uint64_t v8_young = 1U << 3 | 1U << 4, v8_read_only = 1U << 6;
inline constexpr std::uint64_t v8_most_flags = std::uint64_t{1} << 26;

inline constexpr std::size_t v8_most_pages = 1 << 20;          // 256 GiB in RAM
inline constexpr std::uint64_t v8_least_code_bytes = 4 << 20;  // node's and Chromium's have ten times that

/// Whether a file is mapped that is large enough to have V8 in it, or none is known: otherwise a look at each 256 KiB
/// of the memory is saved.
inline bool v8_is_possible(const RuntimeScan& scan) {
  const auto of_file = [](const Mapping& mapping) { return mapping.path.starts_with('/'); };
  const auto mappings = scan.memory.mappings();
  return std::ranges::none_of(mappings, of_file) || std::ranges::any_of(mappings, [&](const Mapping& mapping) {
           return of_file(mapping) && mapping.range.size() >= v8_least_code_bytes;
         });
}

/// "V8 old space" and so on, as far as flags tell.
std::string_view v8_space_by_flags(std::uint64_t flags, bool large);

/// Calls `look(address)` for every multiple of 256 KiB in private memory without a file that is in RAM and
/// that nothing else has.
template <class Look>
void for_each_v8_boundary(const RuntimeScan& scan, Look look) {
  std::size_t left = v8_most_pages;
  for (const Mapping& mapping : scan.memory.mappings()) {
    if (mapping.inode != 0 || mapping.shared || !mapping.read || scan.taken(mapping.range)) continue;
    for (const Range& run : scan.memory.readable(mapping.range)) {
      const auto first = Range::make(run.begin, v8_page_bytes - 1);
      if (!first) continue;
      for (Address at = first->end / v8_page_bytes * v8_page_bytes; at < run.end && left > 0; --left) {
        look(at);
        if (run.end - at <= v8_page_bytes) break;
        at += v8_page_bytes;
      }
    }
  }
}

}  // namespace vmscan
