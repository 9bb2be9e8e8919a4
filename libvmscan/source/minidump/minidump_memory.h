// The memory that a minidump holds. The rest, and what was cut off, is a hole.
#pragma once

#include "libvmscan/source/minidump/minidump_file.h"
#include "libvmscan/source/source.h"

namespace vmscan {

class MinidumpMemory : public MemoryReader {
 public:
  /// `dump` must live as long as this.
  MinidumpMemory(FileBytes file, const MinidumpFile& dump) : file_(std::move(file)), dump_(dump) {}

 private:
  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override;
  /// What the dump holds bytes of.
  Result<std::vector<Range>> do_present(std::span<const Range> ranges) const override;

  FileBytes file_;
  const MinidumpFile& dump_;
};

}  // namespace vmscan
