// Walks the blocks ("chunks") of glibc's heaps. A chunk begins with two words: the size of the chunk before it, if that
// one is free, and its own size with three flags. Whether a chunk is in use stands in the header of the next one. The
// chunks that a thread cache (tcache) or a fast bin holds count as in use there, though the program has freed them.
#pragma once

#include <unordered_set>

#include "libvmscan/owners/allocators/glibc/glibc_arenas.h"
#include "libvmscan/owners/allocators/glibc/noted_links.h"
#include "libvmscan/owners/allocators/heap_report.h"
#include "libvmscan/owners/allocators/objects.h"

namespace vmscan {

/// Counts by exact size in bounded memory: sizes below 64 KiB each for itself, of the larger ones the first so many.
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
  SizeCounts& operator+=(const SizeCounts& other);
  std::vector<SizeTotals> totals(const GlibcLayout& layout) const;

 private:
  using Counts = std::array<std::uint64_t, 3>;  // by BlockState
  static constexpr std::uint64_t small_limit = 64 << 10;
  static constexpr std::size_t most_large = 100'000;
  void add_large(std::uint64_t size, BlockState state);
  Counts* find(std::uint64_t size);

  std::size_t step_;
  std::vector<Counts> small_;
  std::map<std::uint64_t, Counts> large_;
  std::uint64_t left_out_ = 0;
};

inline constexpr std::size_t most_notes = 20;  // on broken places
inline constexpr std::size_t most_thread_caches = 1 << 16;

/// What a walk finds, in one stretch of a heap or in all of them. Of the totals only what adds up is set.
struct GlibcFindings {
  SizeCounts sizes;
  std::optional<ObjectCounts> objects = {};
  HeapTotals totals = {};
  std::vector<Address> thread_caches = {};        // chunks in use that may hold a tcache_perthread_struct
  std::vector<Address> empty_thread_caches = {};  // the same, if a thread points to them: all their lists are empty
  std::vector<HeapBlock> blocks = {};
  bool blocks_complete = true;
  std::vector<Note> notes = {};

  /// Adds what was found behind it.
  void add(GlibcFindings&& other, const HeapOptions& options);
};

/// Everything that one walk needs and finds.
struct GlibcWalk {
  const TargetMemory& memory;
  GlibcHeaps& found;
  const HeapOptions& options;
  HeapReport& report;
  const GlibcFindings nothing;    // with which each stretch begins
  std::uint64_t wanted_size = 0;  // of blocks to list; 0: none
  Range heaps = {};               // from the first address of any arena to the last
  std::uint64_t cache_sizes = 0;  // bit n: a tcache_perthread_struct may have a chunk of 16 n bytes
  GlibcFindings all = nothing;
  NotedLinks links = {};
  std::unordered_set<Address> set_aside = {};  // chunks in caches, when blocks are listed
  std::vector<Address> fast_chunks = {};       // chunks in fast bins, the first so many
};

/// Part of a heap that is walked by itself.
struct HeapStretch {
  std::size_t arena = 0, heap = 0;  // indices
  Range range = {};                 // chunks that begin in it
  /// Where the first of them begins; 0: not known. Then it is picked up where a chain seems to begin.
  Address first = 0;
};

struct WalkedStretch {
  GlibcFindings findings;
  NotedLinks links = {};
  Address begin = 0, end = 0;  // from the first chunk to behind the last one, in this stretch or beyond
  bool broken = false;         // a chain that had been picked up broke: it may never have been one
};

std::string name_of(const GlibcArena& arena);

/// Walks one stretch. Changes nothing of the walk: several may be walked at a time.
WalkedStretch walk_stretch(const GlibcWalk& walk, const HeapStretch& stretch);

/// Walks all heaps, on several threads; adds to `walk`. Returns one entry for each arena. (glibc_stretches.cpp)
std::vector<HeapTotals> walk_arenas(GlibcWalk& walk);

/// For GlibcWalk::cache_sizes. (glibc_thread_caches.cpp)
std::uint64_t sizes_of_thread_caches(std::size_t word);

/// Whether a chunk of this size may hold a tcache_perthread_struct, as far as `bytes` say, which are what it has behind
/// its header; empty: not known. (glibc_thread_caches.cpp)
enum class CacheGuess : std::uint8_t { None, Empty, Used };
CacheGuess guess_thread_cache(const GlibcWalk& walk, std::uint64_t size, std::span<const std::byte> bytes);

/// Takes the chunks in thread caches and fast bins out of the live ones (glibc_caches.cpp). `heaps` has one entry for
/// each arena, in their order.
void settle_glibc_caches(GlibcWalk& walk, std::vector<HeapTotals>& heaps);

/// Fills what HeapResidency says of free pages; a second way along all chunks (glibc_trim.cpp).
void find_trimmable(GlibcWalk& walk, std::vector<HeapTotals>& heaps);

/// Tells where arenas take more from the system than was found, and where fewer blocks with mappings of their own were
/// found than malloc counts. (glibc_totals.cpp)
void check_glibc_totals(const GlibcHeaps& found, std::uint64_t page_bytes, HeapShortfall::Figures figures,
                        std::vector<HeapShortfall>& shortfalls);

/// The whole of it. An empty report when the target has no glibc malloc. (glibc_heap.cpp)
HeapReport walk_glibc(const TargetMemory& memory, const HeapOptions& options);

}  // namespace vmscan
