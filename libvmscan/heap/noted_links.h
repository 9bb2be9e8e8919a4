// Chunks in use whose first word may link them into a list of free ones: noted while their heap is read from end to
// end, because following the lists afterwards would cost a read for each.
#pragma once

#include <optional>
#include <vector>

#include "libvmscan/model/range.h"

namespace vmscan {

struct PossibleLink {
  Address chunk = 0;
  std::uint64_t size = 0, next = 0;  // next as it stands there
};

/// Bounded: what it has no room for is left out, and to be read where it is needed.
class NotedLinks {
 public:
  /// What is added from here on lies in this stretch of a heap, in rising order.
  void begin_stretch(Range stretch);
  void add(const PossibleLink& link);
  /// Nothing of the stretch that was begun last lies behind `end`.
  void end_stretch(Address end) { stretches_.back().range.end = end; }
  /// Adds one that has a single stretch. Stretches do not overlap, and may come in any order. `goes_on`: it is the end
  /// of the stretch that was added last.
  void append(const NotedLinks& other, bool goes_on);
  /// For another attempt at the stretches that were added last: how many there were before.
  std::size_t stretches() const { return stretches_.size(); }
  void keep_stretches(std::size_t count);

  /// Once, after the last add() and before the first find().
  void finish();
  std::optional<PossibleLink> find(Address chunk) const;
  /// Brings near what find() will look at first, and then what is behind it.
  void hurry(Address chunk) const;
  void hurry_on(Address chunk) const;

 private:
  struct Link {
    std::uint64_t next;
    std::uint32_t place, size;  // from the stretch's beginning, and of the chunk, in units
  };
  struct Stretch {
    Range range;
    std::size_t begin = 0, end = 0;         // its links
    unsigned shift = 0;                     // of places, to the index of a bucket
    std::vector<std::uint32_t> first = {};  // link of each bucket, and the end
  };
  /// Where its links are; null: there are none. `place` is the chunk's.
  const std::uint32_t* bucket_of(Address chunk, std::uint64_t& place) const;
  void make_buckets(Stretch& stretch) const;

  std::vector<Stretch> stretches_;
  std::vector<Link> links_;
};

}  // namespace vmscan
