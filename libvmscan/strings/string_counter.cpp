#include "libvmscan/strings/string_counter.h"

#include <algorithm>

namespace vmscan {

StringCounter::StringCounter(OpenTemporary open, std::size_t memory_bytes)
    : memory_bytes_(memory_bytes),
      slots_(std::max<std::size_t>(memory_bytes / 32, 16), free_slot),
      sort_(by_hash_combined(), std::move(open)) {}

/// Where the string is, or would be.
std::uint32_t& StringCounter::slot_of(const StringRecord& head, std::string_view text) {
  for (std::size_t slot = head.hash.first % slots_.size();; slot = (slot + 1) % slots_.size()) {
    if (slots_[slot] == free_slot) return slots_[slot];
    std::string_view rest = std::string_view(records_).substr(slots_[slot]);
    const StringRecord other = head_of(rest);
    if (other.hash == head.hash && other.encoding == head.encoding && text_of(take_record(rest)) == text)
      return slots_[slot];
  }
}

Result<void> StringCounter::add(const StringRecord& head, std::string_view text) {
  if (count_ > 0 && (records_.size() + sizeof head + text.size() > memory_bytes_ || count_ >= slots_.size() / 2))
    if (const auto done = empty(); !done) return done;
  if (records_.capacity() < memory_bytes_) records_.reserve(memory_bytes_);
  std::uint32_t& slot = slot_of(head, text);
  if (slot == free_slot) {
    slot = static_cast<std::uint32_t>(records_.size());
    append_record(head, text, records_);
    ++count_;
    return {};
  }
  StringRecord kept = head_of(std::string_view(records_).substr(slot));
  add_up(kept, head);
  std::memcpy(records_.data() + slot, &kept, sizeof kept);
  return {};
}

Result<void> StringCounter::empty() {
  for (std::string_view rest = records_; !rest.empty();)
    if (const auto added = sort_.add(take_record(rest)); !added) return added;
  records_.clear();
  std::fill(slots_.begin(), slots_.end(), free_slot);
  count_ = 0;
  emptied_ = true;
  return {};
}

Result<void> StringCounter::each(const std::function<bool(std::string_view)>& take) {
  if (emptied_) {
    if (const auto done = empty(); !done) return done;
    records_ = {};
    slots_ = {};
    return sort_.each(take);
  }
  for (std::string_view rest = records_; !rest.empty();)
    if (!take(take_record(rest))) break;
  return {};
}

}  // namespace vmscan
