// Reads the memory of a live process. Reading a page that is not in RAM changes the target (it maps the zero page or
// pulls a file page in): callers account first and read only what is in RAM.
//
// process_vm_readv(2) is two to three times as fast as /proc/PID/mem, but it pins pages, and pinning an anonymous page
// that a fork still shares makes the kernel copy it (gup_must_unshare() in mm/internal.h, since Linux 5.19): the target
// would grow. /proc/PID/mem does not pin. So small reads go there, and large ones, too, where pagemap shows such a
// page.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "libvmscan/source/linux/proc_dir.h"
#include "libvmscan/source/source.h"

namespace vmscan {

class ProcessMemory : public MemoryReader {
 public:
  /// `proc` must live as long as this.
  explicit ProcessMemory(const ProcDir& proc) : proc_(proc) {}

  /// What was just seen of the pages of all mappings: spares present() a look of its own for as long as it is fresh.
  void take_note(PageRuns pages);

 private:
  /// Errors: AccessDenied (needs ptrace attach rights), Vanished (also when the pid has gone to another process).
  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override;
  /// By /proc/PID/pagemap; the shared zero page, where nothing is to be found, counts as absent.
  Result<std::vector<Range>> do_present(std::span<const Range> ranges) const override;

  std::optional<FileBytes> do_mapped_file(const Mapping& mapping) const override;

  bool gone() const;
  /// do_present() without PAGEMAP_SCAN.
  Result<std::vector<Range>> walked(int pagemap_fd, std::uint64_t page_size, std::span<const Range> ranges) const;
  void open_files() const;
  bool pinning_is_harmless(Address address, std::size_t size) const;
  /// As process_vm_readv(2): the number of bytes, or -1 and errno.
  std::int64_t read_memory(Address address, std::span<std::byte> buffer) const;

  const ProcDir& proc_;
  PageRuns seen_;
  std::optional<std::int64_t> seen_at_ns_;
  mutable std::once_flag opened_;
  mutable Fd memory_file_, pagemap_;                    // not valid: they could not be opened
  mutable std::atomic<std::int64_t> checked_at_ns_{0};  // when the process was last seen
};

}  // namespace vmscan
