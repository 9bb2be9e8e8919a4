// Counts equal strings, exactly and in bounded memory: a table of those seen, emptied into sorted temporary files when
// it is full.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libvmscan/strings/record_sort.h"

namespace vmscan {

class StringCounter {
 public:
  explicit StringCounter(OpenTemporary open, std::size_t memory_bytes = std::size_t{24} << 20);

  /// Errors: those of RecordSort.
  Result<void> add(const StringRecord& head, std::string_view text);
  /// Hands out each different string, with its count, its types and its lowest address, in any order, once.
  Result<void> each(const std::function<bool(std::string_view record)>& take);

 private:
  static constexpr std::uint32_t free_slot = ~std::uint32_t{0};
  std::uint32_t& slot_of(const StringRecord& head, std::string_view text);
  Result<void> empty();

  std::size_t memory_bytes_;
  std::string records_;
  std::vector<std::uint32_t> slots_;  // offsets into records_
  std::size_t count_ = 0;
  bool emptied_ = false;
  RecordSort sort_;
};

}  // namespace vmscan
