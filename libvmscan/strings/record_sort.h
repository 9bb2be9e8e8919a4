// Sorts records of strings in bounded memory: what does not fit is sorted in parts, which wait in temporary files and
// are merged at the end.
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/strings/string_record.h"

namespace vmscan {

/// Gives an empty file that nobody else can open and that is gone when it is closed; null when that is not possible.
using OpenTemporary = std::function<std::FILE*()>;

struct RecordOrder {
  /// Records with a lower prefix come first; of equal prefixes `less` tells.
  std::function<std::uint64_t(std::string_view record)> prefix;
  std::function<bool(std::string_view, std::string_view)> less;
  /// Of records that stand side by side: makes one of two that are equal. May be empty.
  std::function<bool(StringRecord& kept, std::string_view kept_text, std::string_view record)> combine;
};

RecordOrder reversed(RecordOrder order);

RecordOrder by_address();
RecordOrder by_length();  // longest first
RecordOrder by_text();    // by code points; then by encoding
RecordOrder by_type();    // in the order of RegionType
RecordOrder by_waste();   // the most bytes in copies first
RecordOrder by_growth();  // the most bytes that the base has not first
RecordOrder by_count();   // the most frequent first
RecordOrder by_hash();    // equal strings stand side by side
/// Equal strings become one record: their counts and types are added up, and the lowest address stays.
RecordOrder by_hash_combined();

class RecordSort {
 public:
  RecordSort(RecordOrder order, OpenTemporary open, std::size_t memory_bytes = std::size_t{16} << 20);
  RecordSort(const RecordSort&) = delete;
  RecordSort& operator=(const RecordSort&) = delete;
  ~RecordSort();

  /// Errors, here and below: Io when a temporary file cannot be written or read.
  Result<void> add(const StringRecord& head, std::string_view text);
  Result<void> add(std::string_view record) { return add(head_of(record), text_of(record)); }
  /// Hands out all records in order, once. `take` returns false when no more is wanted.
  Result<void> each(const std::function<bool(std::string_view record)>& take);

 private:
  class Runs;
  struct Entry {
    std::uint64_t prefix;
    std::uint32_t offset;
  };
  void sort();
  std::string_view record_at(const Entry& entry) const;
  bool pass_on(const std::function<bool(std::string_view)>& take);

  RecordOrder order_;
  std::size_t memory_bytes_;
  std::string records_;
  std::vector<Entry> entries_;
  std::unique_ptr<Runs> runs_;
};

}  // namespace vmscan
