// Keeps what was read of a live target's memory for as long as its owners are sought: many look at the same pages, and
// each read costs a call of the system.
#pragma once

#include <mutex>

#include "libvmscan/memory/memory_reader.h"
#include "libvmscan/memory/page_store.h"

namespace vmscan {

/// May be used by several threads. Not for those who read again to see a change.
class MemoryCache : public MemoryReader {
 public:
  /// Both must outlive it; the pages of `facts` must not change meanwhile.
  MemoryCache(const MemoryReader& reader, const Facts& facts) : reader_(reader), facts_(facts) {}

 private:
  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override;
  Result<std::size_t> do_read_once(Address address, std::span<std::byte> buffer) const override {
    return reader_.read_some(address, buffer);
  }
  Result<std::vector<Range>> do_present(std::span<const Range> ranges) const override {
    return reader_.present(ranges);
  }
  std::optional<FileBytes> do_mapped_file(const Mapping& mapping) const override {
    return reader_.mapped_file(mapping);
  }

  std::size_t copy_kept(Address address, std::span<std::byte> buffer) const;
  Range worth_reading(Address address, std::size_t size) const;
  Result<std::size_t> read_and_keep(Range pages, Address address, std::span<std::byte> buffer) const;

  static constexpr std::uint32_t most_pages = 64;

  const MemoryReader& reader_;
  const Facts& facts_;
  mutable std::mutex lock_;  // of the next
  mutable PageStore store_{most_pages};
};

}  // namespace vmscan
