// Leaves strings out: those that were seen before, and those of another target. In bounded memory: what does not fit in
// a table of hashes waits in temporary files until the end.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libvmscan/strings/record_sort.h"

namespace vmscan {

/// A set of hashes that stops growing at a size.
class HashSet {
 public:
  explicit HashSet(std::size_t most);
  bool contains(const TextHash& hash) const { return slots_[slot_of(hash)] != TextHash{}; }
  /// False: it is full. Nothing happens when the hash is in it.
  bool insert(const TextHash& hash);

 private:
  std::size_t slot_of(const TextHash& hash) const;
  void grow();
  std::size_t most_, count_ = 0;
  std::vector<TextHash> slots_;
};

/// Two strings are equal when their text and their encoding are: by 128 bits of hash.
class StringSieve {
 public:
  enum class Verdict : std::uint8_t { Keep, Drop, Later };

  /// `unique`: of equal strings the first is kept. `most` hashes are held in memory, 16 to 36 bytes each.
  StringSieve(bool unique, OpenTemporary open, std::size_t most = std::size_t{1} << 20);

  /// This string, and all that equal it, are to be dropped. Not after judge(). Errors: those of RecordSort.
  Result<void> exclude(const TextHash& hash);
  /// Strings come in order of address. Later: it is kept here, as will be all that follow and are not dropped.
  Result<Verdict> judge(const StringRecord& head, std::string_view text);
  /// Those put off, without the ones that are dropped, in order of address.
  Result<void> later(const std::function<bool(std::string_view record)>& take);

 private:
  Result<void> put_off(const StringRecord& head, std::string_view text);

  bool unique_, excludes_more_ = false;  // than the table holds
  OpenTemporary open_;
  HashSet known_;
  std::optional<RecordSort> put_off_;  // among them, with count 0, what was excluded and is not in the table
};

}  // namespace vmscan
