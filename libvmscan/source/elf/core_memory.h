// The memory that an ELF core holds. What was not dumped, or was cut off, is a hole.
#pragma once

#include "libvmscan/source/elf/core_file.h"
#include "libvmscan/source/source.h"

namespace vmscan {

class CoreMemory : public MemoryReader {
 public:
  /// `core` must live as long as this.
  CoreMemory(FileBytes file, const CoreFile& core) : file_(std::move(file)), core_(core) {}

 private:
  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override;

  FileBytes file_;
  const CoreFile& core_;
};

}  // namespace vmscan
