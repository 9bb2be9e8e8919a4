// The memory of a live process: its map and where its pages are.
#pragma once

#include <string>

#include "libvmscan/source/linux/page_walker.h"
#include "libvmscan/source/linux/proc_dir.h"
#include "libvmscan/source/linux/text/proc_text.h"
#include "libvmscan/source/source.h"

namespace vmscan {

/// /proc/PID/maps and pagemap, opened together: both stay with the address space of that moment, so that a process that
/// executes another program meanwhile reads as gone instead of as a mixture.
class LiveMemory {
 public:
  /// `directory` is what memory_directory() returned. Errors: AccessDenied, Vanished, Io.
  static Result<LiveMemory> open(const ProcDir& proc, std::string directory);

  /// Reads and parses the map, again while it looks torn. An empty map of a live process means that it has called exec.
  Result<void> read_map(Facts& facts);
  /// Reads the pages of the mappings into the facts; smaps where options ask for it or nothing else tells.
  /// Error: Vanished, when the address space went away.
  Result<void> read_pages(const CollectOptions& options, const KernelCounters& counters, Facts& facts);
  /// Finds Facts::huge_pages behind stacks and, where asked for, behind heaps, once these are known.
  void find_huge_pages(const CollectOptions& options, Facts& facts);
  /// Whether the map is still what read_map() found.
  bool map_unchanged() const;

 private:
  LiveMemory(const ProcDir& proc, std::string directory, Fd maps)
      : proc_(&proc), directory_(std::move(directory)), maps_(std::move(maps)) {}
  template <class See>
  Result<void> read_lines(See see) const;
  Result<void> read_smaps(Facts& facts);
  std::vector<PageWalkMapping> plan_walk(bool bounded_by_smaps, Facts& facts) const;
  Result<void> settle_zero_pages(const std::map<std::size_t, std::uint64_t>& maybe_zero_bytes,
                                 const CollectOptions& options, Facts& facts);
  void find_hugetlb(const KernelCounters& counters, Facts& facts);
  std::vector<Address> huge_by_smaps(const std::vector<Range>& ranges, std::uint64_t size, const Facts& facts,
                                     bool& complete) const;

  const ProcDir* proc_;
  std::string directory_;
  Fd maps_;
  Fd pagemap_;
  std::uint64_t fingerprint_ = 0;  // of the map's text
  std::vector<bool> hugetlb_;      // by mapping
  bool smaps_read_ = false;
};

}  // namespace vmscan
