#include "libvmscan/strings/string_sieve.h"

#include <algorithm>

namespace vmscan {
namespace {

constexpr std::size_t first_slots = 1 << 12;

/// The empty hash marks a free slot.
TextHash storable(const TextHash& hash) { return hash == TextHash{} ? TextHash{0, 1} : hash; }

}  // namespace

HashSet::HashSet(std::size_t most) : most_(most), slots_(first_slots) {}

std::size_t HashSet::slot_of(const TextHash& hash) const {
  const TextHash wanted = storable(hash);
  std::size_t slot = wanted.first % slots_.size();
  while (slots_[slot] != TextHash{} && slots_[slot] != wanted) slot = (slot + 1) % slots_.size();
  return slot;
}

bool HashSet::insert(const TextHash& hash) {
  if (contains(hash)) return true;
  if (count_ == most_) return false;
  if (count_ >= slots_.size() / 4 * 3) grow();
  slots_[slot_of(hash)] = storable(hash);
  ++count_;
  return true;
}

void HashSet::grow() {
  std::vector<TextHash> old(slots_.size() * 2);
  old.swap(slots_);
  for (const TextHash& hash : old)
    if (hash != TextHash{}) slots_[slot_of(hash)] = hash;
}

StringSieve::StringSieve(bool unique, OpenTemporary open, std::size_t most)
    : unique_(unique), open_(std::move(open)), known_(most) {}

Result<void> StringSieve::put_off(const StringRecord& head, std::string_view text) {
  if (!put_off_) put_off_.emplace(by_hash(), open_);
  return put_off_->add(head, text);
}

Result<void> StringSieve::exclude(const TextHash& hash) {
  if (known_.insert(hash)) return {};
  excludes_more_ = true;
  return put_off({.address = 0, .count = 0, .hash = hash}, {});
}

Result<StringSieve::Verdict> StringSieve::judge(const StringRecord& head, std::string_view text) {
  if (known_.contains(head.hash)) return Verdict::Drop;
  if (!excludes_more_ && (!unique_ || known_.insert(head.hash))) return Verdict::Keep;
  if (const auto done = put_off(head, text); !done) return std::unexpected(done.error());
  return Verdict::Later;
}

Result<void> StringSieve::later(const std::function<bool(std::string_view)>& take) {
  if (!put_off_) return {};
  known_ = HashSet(0);
  RecordSort kept(by_address(), open_);
  Result<void> added;
  std::optional<TextHash> last;
  bool excluded = false;
  const auto done = put_off_->each([&](std::string_view record) {
    const StringRecord head = head_of(record);
    const bool repeated = last == head.hash;
    if (!repeated) excluded = head.count == 0;
    last = head.hash;
    if (excluded || (repeated && unique_)) return true;
    added = kept.add(record);
    return added.has_value();
  });
  put_off_.reset();
  if (!done) return done;
  return added ? kept.each(take) : added;
}

}  // namespace vmscan
