// Reads the memory of a live process. Reading a page that is not in RAM changes the target (it maps the zero page,
// pulls a file page in or swaps a page in), and may wait for another process (userfaultfd(2), a file system): callers
// account first and read only what is in RAM. A large read looks again, as it may come long after that.
//
// process_vm_readv(2) is two to three times as fast as /proc/PID/mem, but it pins pages, and pinning an anonymous page
// that a fork still shares makes the kernel copy it (gup_must_unshare() in mm/internal.h, since Linux 5.19): the target
// would grow. /proc/PID/mem does not pin. So small reads go there, and large ones, too, where pagemap shows such a
// page.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "libvmscan/source/linux/mapped_files.h"
#include "libvmscan/source/linux/proc_dir.h"
#include "libvmscan/source/source.h"

namespace vmscan {

class ProcessMemory : public MemoryReader {
 public:
  /// `proc` must live as long as this.
  explicit ProcessMemory(const ProcDir& proc) : proc_(proc) {}

  /// What was just seen of the pages of all mappings: spares present() a look of its own for as long as it is fresh.
  void take_note(PageRuns pages);
  /// The same of the mappings, for stored().
  void take_note(std::vector<Mapping> mappings) { mappings_ = std::move(mappings); }
  MappedFiles& files() { return files_; }
  /// Whether pages that are not in RAM may be read, too. Not to be called while anybody reads.
  void read_all_pages(bool all) { all_pages_ = all; }

 private:
  /// Errors: AccessDenied (needs ptrace attach rights), Vanished (also when the pid has gone to another process).
  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override;
  /// By /proc/PID/pagemap; the shared zero page, where nothing is to be found, counts as absent.
  Result<std::vector<Range>> do_present(std::span<const Range> ranges) const override;
  /// With what is swapped out, and what files hold: from then on it is read from the file itself, which makes nothing
  /// of it the target's, where it is certain that it is the one that is mapped. Needs take_note().
  Result<std::vector<Range>> do_stored(std::span<const Range> ranges) const override;
  std::optional<FileBytes> do_mapped_file(const Mapping& mapping) const override;

  /// A part of memory that a file holds and no page of the process.
  struct FilePart {
    Range range;
    std::shared_ptr<const FileBytes> file;
    std::uint64_t offset = 0;
  };
  void add_stored(const Mapping& mapping, Range part, std::vector<Range>& found) const;
  const FilePart* file_part_behind(Address address) const;
  bool gone() const;
  /// do_present() without PAGEMAP_SCAN.
  Result<std::vector<Range>> walked(int pagemap_fd, std::uint64_t page_size, std::span<const Range> ranges) const;
  void open_files() const;
  struct Look {
    std::size_t size = 0;  // up to the first page that may not be read
    bool may_pin = false;  // no page is anonymous and shared with another process
  };
  Look look_at_pages(Address address, std::size_t size) const;
  /// As process_vm_readv(2): the number of bytes, or -1 and errno.
  std::int64_t read_memory(Address address, std::span<std::byte> buffer) const;

  const ProcDir& proc_;
  mutable MappedFiles files_{proc_};
  bool all_pages_ = false;
  std::vector<Mapping> mappings_;
  mutable std::vector<FilePart> file_parts_;  // sorted; those that stored() found last
  PageRuns seen_;
  std::optional<std::int64_t> seen_at_ns_;
  mutable std::once_flag opened_;
  mutable Fd memory_file_, pagemap_;                    // not valid: they could not be opened
  mutable std::atomic<std::int64_t> checked_at_ns_{0};  // when the process was last seen
};

}  // namespace vmscan
