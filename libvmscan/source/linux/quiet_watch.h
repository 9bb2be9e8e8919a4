// Proves that a process did not run for a while, without asking it anything: then its map cannot have changed, and
// reading a map of 60,000 lines again, only to compare it, can be saved.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "libvmscan/source/linux/proc_dir.h"

namespace vmscan {

class QuietWatch {
 public:
  /// Remembers how often each thread has been given a CPU so far.
  /// Does nothing for more than a few threads: then reading the map again is cheaper.
  QuietWatch(const ProcDir& proc, std::uint64_t threads);
  /// Whether no thread has run since, for certain: all were asleep or stopped then, there are the same threads now, and
  /// none has been given a CPU. Without task/TID/schedstat (CONFIG_SCHED_INFO): not certain.
  bool nobody_ran() const;

 private:
  using Turns = std::map<std::string, std::string>;  // by thread: the number of its turns on a CPU
  std::optional<Turns> read() const;

  const ProcDir* proc_;
  std::optional<Turns> before_;
};

}  // namespace vmscan
