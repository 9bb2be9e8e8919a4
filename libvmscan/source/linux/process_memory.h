// Reads the memory of a live process with process_vm_readv(2). Reading a page that is not in RAM changes the target (it
// maps the zero page or pulls a file page in): callers account first and read only what is in RAM.
#pragma once

#include <atomic>
#include <cstdint>

#include "libvmscan/source/linux/proc_dir.h"
#include "libvmscan/source/source.h"

namespace vmscan {

class ProcessMemory : public MemoryReader {
 public:
  /// `proc` must live as long as this.
  explicit ProcessMemory(const ProcDir& proc) : proc_(proc) {}

 private:
  /// Errors: AccessDenied (needs ptrace attach rights), Vanished (also when the pid has gone to another process).
  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override;
  /// By /proc/PID/pagemap; the shared zero page, where nothing is to be found, counts as absent.
  Result<std::vector<Range>> do_present(std::span<const Range> ranges) const override;

  std::optional<FileBytes> do_mapped_file(const Mapping& mapping) const override;

  bool gone() const;

  const ProcDir& proc_;
  mutable std::atomic<std::int64_t> checked_at_ns_{0};  // when the process was last seen
};

}  // namespace vmscan
