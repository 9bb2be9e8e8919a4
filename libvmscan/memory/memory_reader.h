// The memory of a target, whatever holds it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/base/result.h"
#include "libvmscan/model/facts.h"

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

}  // namespace vmscan
