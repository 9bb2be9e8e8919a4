// What collects facts of a target, and how far it shall go.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "libvmscan/memory/memory_reader.h"

namespace vmscan {

/// Ways into the kernel that not every kernel has. All are probed; a test switches one off to prove the fallback.
struct KernelFeatures {
  bool pagemap_scan = true;  // PAGEMAP_SCAN (Linux 6.7)
  bool page_frames = true;   // frame numbers in pagemap (needs CAP_SYS_ADMIN)
  bool smaps = true;
};

struct CollectOptions {
  bool smaps = false;    // fill the columns that only smaps has; stalls the target while it is read
  bool swap = false;     // read smaps as well when shared memory may be swapped out, which nothing else shows
  bool sharing = true;   // false: of a live process, do not find out which pages are shared, which takes longest
  bool sections = true;  // read section names of images
  bool regions = true;   // false: only what they add up to will be shown
  /// Find the huge pages behind heaps, too; on kernels without PAGEMAP_SCAN this may read smaps.
  bool huge_pages = false;
  bool all_pages = false;  // of a live process, read what is swapped out, too: it comes back into RAM by that
  unsigned threads = 0;    // for reading page tables; 0: as many as help
  /// Where a core's files are looked for; empty: at their own paths. A live process ignores it.
  std::string file_root;
  /// How much private memory in RAM may be searched for what malloc has, where it does not count that itself.
  std::uint64_t heap_search_bytes = 256 << 20;
  KernelFeatures features;
  /// Called with one line about a step and what it cost, for --verbose. May be empty.
  std::function<void(std::string_view)> trace;
};

/// One target: a live process, a core, a dump.
class Source {
 public:
  virtual ~Source() = default;
  /// Reads what there is, but not whose memory each part is: see capture(). An Error when there is nothing to show;
  /// otherwise what is missing is a Note.
  virtual Result<Facts> collect(const CollectOptions& options) = 0;
  /// Once owners are known: adds what depends on them, and what the source has to say at the end.
  virtual void complete(const CollectOptions&, Facts&) {}
  /// Null: this source holds no bytes of memory.
  virtual const MemoryReader* memory() const { return nullptr; }
};

}  // namespace vmscan
