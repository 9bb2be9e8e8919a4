// The threads' caches of freed blocks:
//   tcache_perthread_struct { counts[bins]; tcache_entry *entries[bins]; }   counts of 1 byte (2.26) or 2 (2.30)
// A cache is believed when a thread's static TLS points to it, or when all of its lists are what they should be. A
// thread that runs takes blocks from its lists and gives them back: a list that was in motion is looked at again.
#pragma once

#include <optional>
#include <unordered_set>
#include <vector>

#include "libvmscan/owners/allocators/glibc/glibc_lists.h"

namespace vmscan {

struct TcacheLayout;  // of a version

class GlibcThreadCaches {
 public:
  /// Both must outlive it.
  GlibcThreadCaches(const GlibcWalk& walk, GlibcLists& lists)
      : walk_(walk), lists_(lists), layout_(walk.found.layout), word_(layout_.word) {}

  /// Those of the walk's candidates that a thread points to.
  std::unordered_set<Address> pointed_to();
  /// Whether every list is as long as its count says and has blocks of its size only. `thread_points_to_it`: all may be
  /// empty, and a few may be in motion.
  bool consistent(Address chunk, bool thread_points_to_it);

  struct List {
    Address first = 0;  // 0: it is empty
    /// All its blocks, where it was in motion and one look found it in order.
    std::optional<std::vector<GlibcLists::Link>> caught;
  };
  struct Lists {
    std::uint64_t chunk_size = 0;  // of the cache itself; 0: it is none
    std::vector<List> lists;
  };
  Lists lists_of(Address chunk);

 private:
  struct Cache {
    const TcacheLayout* layout = nullptr;  // null: it is none
    std::vector<std::byte> bytes;          // behind its header
  };
  using Blocks = std::vector<GlibcLists::Link>;
  enum class From : bool { Now, Noted };  // links as they stand now, or as the walk has noted them

  bool live() const { return walk_.memory.facts().target.kind == TargetKind::Process; }
  Cache read(Address chunk) const;
  Address entry_of(const Cache& cache, std::size_t bin) const;
  std::uint64_t places_of(const Cache& cache);
  std::optional<Blocks> blocks_of(const Cache& cache, std::size_t bin, From from);
  bool has_length(const Cache& cache, std::size_t bin, std::uint64_t places, const std::optional<Blocks>& blocks) const;
  bool fits(const Cache& cache, std::size_t bin, std::uint64_t places);
  std::optional<Blocks> caught(Address chunk, std::size_t bin, std::uint64_t places);

  const GlibcWalk& walk_;
  GlibcLists& lists_;
  const GlibcLayout& layout_;
  std::size_t word_;
};

}  // namespace vmscan
