// What no pointer of malloc's leads to is searched for: blocks with mappings of their own, and the pieces of a main
// arena that could not go on in brk.
#pragma once

#include <chrono>

#include "libvmscan/owners/allocators/glibc/glibc_arenas.h"

namespace vmscan {

struct GlibcSearchLimits {
  /// Of memory in RAM (of a core, of what it holds), where malloc does not tell how much there is to find.
  std::uint64_t bytes = std::uint64_t{256} << 20;
  /// Where it does and not all was found yet.
  std::chrono::milliseconds time{1000};
};

/// The arenas, and all that belongs to them as far as it can be found: the one search that everybody shares.
GlibcHeaps find_glibc_heaps(const TargetMemory& memory, const GlibcSearchLimits& limits);

/// What find_owners() found in these facts; sought now where it did not look.
GlibcHeaps known_glibc_heaps(const TargetMemory& memory);

/// Where a piece of the main arena ends of which `chunk` is the first: behind the top, or behind two chunks that nobody
/// can get, where a page ends. 0: no chain leads there before `limit`.
Address end_of_glibc_piece(const TargetMemory& memory, const GlibcHeaps& found, Address chunk, Address limit);

/// The header that belongs to what the program has: not the first in the block when it had to be aligned.
Address chunk_in_use(const TargetMemory& memory, const GlibcLayout& layout, const GlibcMappedBlock& block);

}  // namespace vmscan
