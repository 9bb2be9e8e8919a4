// Walks the blocks ("chunks") of glibc's heaps. A chunk begins with two words: the size of the chunk before it, if that
// one is free, and its own size with three flags. Whether a chunk is in use stands in the header of the next one. The
// chunks that a thread cache (tcache) or a fast bin holds count as in use there, though the program has freed them.
#pragma once

#include <unordered_set>

#include "libvmscan/heap/glibc_arenas.h"
#include "libvmscan/heap/heap_report.h"
#include "libvmscan/heap/noted_links.h"
#include "libvmscan/heap/objects.h"

namespace vmscan {

/// Counts by exact size in bounded memory: sizes below 1 MiB each for itself, of the larger ones the first so many.
class SizeCounts {
 public:
  explicit SizeCounts(std::size_t step) : step_(step), small_(small_limit / step) {}
  void add(std::uint64_t size, BlockState state) {
    if (size < small_limit)
      ++small_[size / step_][static_cast<std::size_t>(state)];
    else
      add_large(size, state);
  }
  /// A block that counted as live turns out to be cached, or the allocator's own.
  void take_from_live(std::uint64_t size, std::optional<BlockState> into);
  std::vector<SizeTotals> totals(const GlibcLayout& layout) const;

 private:
  using Counts = std::array<std::uint64_t, 3>;  // by BlockState
  static constexpr std::uint64_t small_limit = 1 << 20;
  static constexpr std::size_t most_large = 100'000;
  void add_large(std::uint64_t size, BlockState state);
  Counts* find(std::uint64_t size);

  std::size_t step_;
  std::vector<Counts> small_;
  std::map<std::uint64_t, Counts> large_;
  std::uint64_t left_out_ = 0;
};

/// Everything that one walk needs and finds.
struct GlibcWalk {
  const TargetMemory& memory;
  const GlibcHeaps& found;
  const HeapOptions& options;
  HeapReport& report;
  SizeCounts sizes;
  std::vector<Address> thread_caches = {};     // chunks in use that may hold a tcache_perthread_struct
  std::unordered_set<Address> set_aside = {};  // chunks in caches, when blocks are listed
  std::optional<ObjectCounts> objects = {};
  std::uint64_t wanted_size = 0;  // of blocks to list; 0: none
  Range heaps = {};               // from the first address of any arena to the last
  NotedLinks links = {};
  std::vector<Address> fast_chunks = {};  // chunks in fast bins, the first so many
};

/// Walks one heap and adds to `totals`. `index` is that of the heap in the report.
void walk_glibc_heap(GlibcWalk& walk, const GlibcArena& arena, const GlibcHeap& heap, std::size_t index,
                     HeapTotals& totals);

/// Whether a chunk of this size may hold a tcache_perthread_struct, as far as `bytes` say, which are what it has behind
/// its header; empty: not known. (glibc_caches.cpp)
bool may_be_thread_cache(const GlibcWalk& walk, std::uint64_t size, std::span<const std::byte> bytes);

/// Takes the chunks in thread caches and fast bins out of the live ones (glibc_caches.cpp). `heaps` has one entry for
/// each arena, in their order.
void settle_glibc_caches(GlibcWalk& walk, std::vector<HeapTotals>& heaps);

/// Fills what HeapResidency says of free pages; a second way along all chunks (glibc_trim.cpp).
void find_trimmable(GlibcWalk& walk, std::vector<HeapTotals>& heaps);

/// A block with a mapping of its own. Several may share what the kernel shows as one mapping.
struct GlibcMappedBlock {
  Range range;                 // whole pages
  Address chunk = 0;           // its header; not at the beginning when it had to be aligned
  std::uint64_t left_out = 0;  // bytes at the end of `range` that its size leaves out
};

/// Looks for them in the private anonymous memory that no arena and no stack has, in at most `most_bytes` of it
/// (glibc_mapped.cpp). None when malloc counts none.
std::vector<GlibcMappedBlock> find_glibc_mapped(const TargetMemory& memory, const GlibcHeaps& found,
                                                std::uint64_t most_bytes);

/// The whole of it. An empty report when the target has no glibc malloc. (glibc_heap.cpp)
HeapReport walk_glibc(const TargetMemory& memory, const HeapOptions& options);

}  // namespace vmscan
