// The memory that an ELF core holds, and what it left out as far as files on disk have it. The rest, and what was cut
// off, is a hole.
#pragma once

#include "libvmscan/source/elf/core_disk.h"
#include "libvmscan/source/elf/core_file.h"
#include "libvmscan/source/source.h"

namespace vmscan {

class CoreMemory : public MemoryReader {
 public:
  /// `core` must live as long as this.
  CoreMemory(FileBytes file, const CoreFile& core) : file_(std::move(file)), core_(core) {}

  /// `backing` is sorted by address and lies where the core holds no bytes.
  void set_backing(std::vector<FileBacking> backing) { backing_ = std::move(backing); }
  /// The files on disk that have the build ids of what was mapped.
  void set_files(std::map<FileKey, DiskFile> files) { files_ = std::move(files); }

 private:
  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override;
  /// What the core or a file on disk holds bytes of.
  Result<std::vector<Range>> do_present(std::span<const Range> ranges) const override;

  std::optional<FileBytes> do_mapped_file(const Mapping& mapping) const override;

  FileBytes file_;
  const CoreFile& core_;
  std::vector<FileBacking> backing_;
  std::map<FileKey, DiskFile> files_;
};

}  // namespace vmscan
