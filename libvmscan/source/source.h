// The two interfaces of everything that can be looked at.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/model/facts.h"
#include "libvmscan/model/result.h"
#include "libvmscan/source/file_bytes.h"

namespace vmscan {

/// Reads the memory of a target.
class MemoryReader {
 public:
  virtual ~MemoryReader() = default;
  /// Reads at most `buffer.size()` bytes at `address`. Returns how many were read from the start; 0 is a hole.
  Result<std::size_t> read_some(Address address, std::span<std::byte> buffer) const { return do_read(address, buffer); }
  /// The same, for what nobody will read again: it is not kept.
  Result<std::size_t> read_once(Address address, std::span<std::byte> buffer) const {
    return do_read_once(address, buffer);
  }
  /// The parts of `ranges` (sorted, not overlapping) that can be read without changing the target: of a live process,
  /// what is in RAM. All of them, for a source that nothing changes. Errors: AccessDenied, Vanished, Io.
  Result<std::vector<Range>> present(std::span<const Range> ranges) const { return do_present(ranges); }
  /// What of `ranges` has contents anywhere: in RAM, in swap or in a file. The rest is zeros that nobody has written,
  /// and need not be read. Reading what is swapped out changes the target. Errors as present().
  Result<std::vector<Range>> stored(std::span<const Range> ranges) const { return do_stored(ranges); }
  /// The file behind the mapping, when it is certain that it is the one that is mapped: for what memory does not hold
  /// (yet), as reading it there would pull it in.
  std::optional<FileBytes> mapped_file(const Mapping& mapping) const { return do_mapped_file(mapping); }
  /// Whether all of `buffer` could be filled.
  bool read_whole(Address address, std::span<std::byte> buffer) const {
    while (!buffer.empty()) {
      const auto count = read_some(address, buffer);
      if (!count || *count == 0) return false;
      buffer = buffer.subspan(*count);
      address += *count;
    }
    return true;
  }

 private:
  virtual Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const = 0;
  virtual Result<std::size_t> do_read_once(Address address, std::span<std::byte> buffer) const {
    return do_read(address, buffer);
  }
  virtual Result<std::vector<Range>> do_present(std::span<const Range> ranges) const {
    return std::vector<Range>(ranges.begin(), ranges.end());
  }
  virtual Result<std::vector<Range>> do_stored(std::span<const Range> ranges) const {
    return std::vector<Range>(ranges.begin(), ranges.end());
  }
  virtual std::optional<FileBytes> do_mapped_file(const Mapping&) const { return std::nullopt; }
};

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
