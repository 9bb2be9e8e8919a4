// Which parts of a target's memory are searched for strings, and what is left out.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "libvmscan/memory/memory_reader.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan {

/// Memory to be searched. Strings do not reach from one extent into the next unless both are of one region and touch.
struct Extent {
  Range range;
  std::size_t region = 0;  // index into Snapshot::regions
};

struct ExtentChoice {
  std::function<bool(const Region&)> region;  // empty: all
  bool writable = false;                      // only blocks that can be written to
  std::optional<Range> within;                // only what lies inside
  bool absent_too = false;                    // of a process, what is not in RAM, too: MemoryReader::stored()
};

struct Extents {
  std::vector<Extent> list;  // sorted by address
  std::uint64_t absent_bytes =
      0;  // left out: not in RAM (swapped out, never touched, in the page cache at most), or not stored
  std::uint64_t unreadable_bytes = 0;  // left out: no right to read them (No access)
  std::uint64_t bytes() const;
};

/// Reserved memory holds nothing and is left out. Errors: those of MemoryReader::present().
Result<Extents> choose_extents(const Snapshot& snapshot, const MemoryReader& memory, const ExtentChoice& choice);

}  // namespace vmscan
