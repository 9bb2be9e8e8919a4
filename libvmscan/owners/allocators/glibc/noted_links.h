// Chunks in use whose first word may link them into a list of free ones: noted while their heap is read from end to
// end, because following the lists afterwards would cost a read for each.
#pragma once

#include <optional>
#include <vector>

#include "libvmscan/base/range.h"

namespace vmscan {

struct PossibleLink {
  Address chunk = 0;
  std::uint64_t size = 0, next = 0;  // next as it stands there
};

/// Bounded: what it has no room for is left out, and to be read where it is needed.
class NotedLinks {
  struct Link {
    std::uint64_t next;
    std::uint32_t place, size;  // from the stretch's beginning, and of the chunk, in units
  };
  struct Stretch {
    Range range;
    std::vector<Link> links = {};
    unsigned shift = 0;                     // of places, to the index of a bucket
    std::vector<std::uint32_t> first = {};  // link of each bucket, and the end
  };

 public:
  /// What is added from here on lies in this stretch of a heap, in rising order.
  void begin_stretch(Range stretch);
  void add(const PossibleLink& link);
  /// Nothing of the stretch that was begun last lies behind `end`.
  void end_stretch(Address end) { stretches_.back().range.end = end; }
  /// Takes over what another has noted. Stretches do not overlap, and may come in any order.
  void append(NotedLinks&& other);
  /// For another attempt at the stretches that were added last: how many there were before.
  std::size_t stretches() const { return stretches_.size(); }
  void keep_stretches(std::size_t count);

  /// Once, after the last add() and before the first find().
  void finish();
  std::optional<PossibleLink> find(Address chunk) const;

  /// Where the links near a chunk begin.
  struct Bucket {
    const Stretch* stretch = nullptr;  // null: there are none
    const std::uint32_t* first = nullptr;
    std::uint64_t place = 0;  // of the chunk
  };
  /// find() in three steps, each of which brings near what the next one looks at: for many chunks in turn.
  Bucket bucket_of(Address chunk) const;
  void prefetch(const Bucket& bucket) const;
  std::optional<PossibleLink> find(Address chunk, const Bucket& bucket) const;

 private:
  static void make_buckets(Stretch& stretch);

  std::vector<Stretch> stretches_;
  std::size_t count_ = 0;  // of links
};

}  // namespace vmscan
