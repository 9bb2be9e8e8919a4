// Copies of pages of a target, kept by their addresses in few large pieces of memory: an allocation of its own for each
// page would cost as much as reading it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "libvmscan/base/range.h"

namespace vmscan {

class PageStore {
 public:
  static constexpr std::uint64_t page_bytes = 4096;

  /// It begins anew when `most_pages` are kept.
  explicit PageStore(std::uint32_t most_pages) : most_pages_(most_pages) {}

  /// The bytes of the page that begins at `page`; null when they are not kept. Valid up to the next add().
  const std::byte* find(Address page) const;
  /// Room for the bytes of a page that is not kept yet.
  std::byte* add(Address page);

 private:
  struct Slot {
    Address page = 0;
    std::uint32_t number = 0;  // 1 + the place of its bytes; 0: empty
  };
  std::byte* bytes_of(std::uint32_t number) const;
  std::size_t slot_of(Address page) const;
  void grow_table();

  std::uint32_t most_pages_;
  std::uint32_t kept_ = 0;
  std::vector<Slot> table_;  // by hash, at most half full
  std::vector<std::unique_ptr<std::byte[]>> pieces_;
};

}  // namespace vmscan
