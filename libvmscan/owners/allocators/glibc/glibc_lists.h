// Singly linked lists of freed blocks in the heaps of a walk: what the thread caches and the fast bins hold.
#pragma once

#include <optional>
#include <vector>

#include "libvmscan/owners/allocators/glibc/glibc_walk.h"

namespace vmscan {

class GlibcLists {
 public:
  explicit GlibcLists(const GlibcWalk& walk);

  struct Place {
    Range range;
    std::size_t heap;  // index of the arena
  };
  /// The heap that the address is in; null when it is in none.
  const Place* place_of(Address chunk) const;

  /// What stands at the beginning of a block in a list.
  struct Link {
    Address chunk = 0;
    std::uint64_t size = 0, next = 0;  // next as it stands there
    bool read = false;
  };
  /// As the walk has noted it, otherwise as it stands there now.
  Link read(Address chunk) const;
  Link read(Address chunk, const NotedLinks::Bucket& bucket) const;  // of NotedLinks::bucket_of(chunk)
  Link read_now(Address chunk) const;

  /// Where a link leads to: past a chunk's header (thread caches: `into` is its size) or to a chunk (fast bins: 0).
  /// Nothing: it cannot be a link.
  std::optional<Address> next(const Link& link, std::size_t into);

 private:
  const GlibcWalk& walk_;
  const GlibcLayout& layout_;
  std::vector<Place> places_;         // by address
  std::optional<bool> safe_linking_;  // whether links are hidden (since 2.32); unset: not known yet
};

}  // namespace vmscan
