// The files that a live process has mapped, read without waiting for a file system that does not answer: what may do so
// (FUSE, NFS and other file systems that ask somebody) is asked by a helper process, for a few seconds at most.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/model/facts.h"
#include "libvmscan/source/linux/helper_process.h"
#include "libvmscan/source/linux/text/proc_text.h"

namespace vmscan {

class MappedFiles {
 public:
  /// `proc` must live as long as this.
  explicit MappedFiles(const ProcDir& proc);

  /// Which file systems the target sees; to be called before the others, and again for each capture. What left no
  /// answer is asked again after a while.
  void take_mounts(std::string_view mountinfo);

  /// Files of shared memory that has no name in a file system are to be opened, too.
  void take_shared_memory();

  /// The file, if it is still the very file that is mapped: see open_mapped_file(). May be called by several threads.
  std::optional<FileBytes> open(const Mapping& mapping) const;
  /// Whether the file of the mapping is the one that the target sees at `path`.
  bool is_there(const Mapping& mapping, const std::string& path) const;
  /// The beginning of a file of /proc/PID whose text lies in the target's memory.
  std::optional<std::string> read_text(const std::string& name, std::size_t most_bytes) const;

  /// What was left out since take_mounts(), as nobody answered in time.
  std::vector<Note> notes() const;

 private:
  struct Request;
  std::string serve(std::string_view request) const;
  std::optional<std::string> ask(const Request& request, std::string_view path, const Mapping* mapping) const;
  bool may_wait(const Mapping& mapping, const std::string& path) const;
  bool leads_to_local(int directory, const std::string& path, std::uint64_t resolve) const;

  const ProcDir& proc_;
  Mounts mounts_;
  std::shared_ptr<HelperProcess> helper_;
  mutable std::mutex lock_;  // of the next two
  mutable std::map<std::pair<std::uint32_t, std::uint32_t>, std::chrono::steady_clock::time_point> silent_;
  mutable std::vector<std::string> left_out_;
};

}  // namespace vmscan
