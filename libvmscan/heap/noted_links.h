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
  /// What is added from here on lies in this heap, in rising order.
  void begin_heap(Range heap);
  void add(const PossibleLink& link);
  /// For another attempt at the heaps that were begun last: how many there were before.
  std::size_t heaps() const { return heaps_.size(); }
  void keep_heaps(std::size_t count);

  /// Once, after the last add() and before the first find().
  void finish();
  std::optional<PossibleLink> find(Address chunk) const;

 private:
  struct Link {
    std::uint64_t next;
    std::uint32_t place, size;  // from the heap's beginning, and of the chunk, in units
  };
  struct Heap {
    Range range;
    std::size_t begin = 0, end = 0;         // its links
    unsigned shift = 0;                     // of places, to the index of a bucket
    std::vector<std::uint32_t> first = {};  // link of each bucket, and the end
  };
  void make_buckets(Heap& heap) const;

  std::vector<Heap> heaps_;
  std::vector<Link> links_;
};

}  // namespace vmscan
