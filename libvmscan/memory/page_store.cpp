#include "libvmscan/memory/page_store.h"

#include <algorithm>
#include <utility>

namespace vmscan {
namespace {

constexpr std::uint32_t pages_of_piece = 8;
constexpr std::size_t least_table = 256;

}  // namespace

std::byte* PageStore::bytes_of(std::uint32_t number) const {
  return pieces_[(number - 1) / pages_of_piece].get() + (number - 1) % pages_of_piece * page_bytes;
}

/// Where the page is in the table, or would be.
std::size_t PageStore::slot_of(Address page) const {
  constexpr std::uint64_t spread = 0x9e3779b97f4a7c15;
  std::size_t slot = static_cast<std::size_t>(page / page_bytes * spread >> 32) & (table_.size() - 1);
  while (table_[slot].number != 0 && table_[slot].page != page) slot = (slot + 1) & (table_.size() - 1);
  return slot;
}

const std::byte* PageStore::find(Address page) const {
  if (table_.empty()) return nullptr;
  const std::uint32_t number = table_[slot_of(page)].number;
  return number != 0 ? bytes_of(number) : nullptr;
}

std::byte* PageStore::add(Address page) {
  if (kept_ == most_pages_) {
    kept_ = 0;
    std::fill(table_.begin(), table_.end(), Slot{});
  }
  if (2 * (kept_ + std::size_t{1}) > table_.size()) grow_table();
  if (kept_ / pages_of_piece == pieces_.size())
    pieces_.push_back(std::make_unique_for_overwrite<std::byte[]>(pages_of_piece * page_bytes));
  table_[slot_of(page)] = {page, ++kept_};
  return bytes_of(kept_);
}

void PageStore::grow_table() {
  const std::vector<Slot> old = std::exchange(table_, std::vector<Slot>(std::max(least_table, 2 * table_.size())));
  for (const Slot& slot : old)
    if (slot.number != 0) table_[slot_of(slot.page)] = slot;
}

}  // namespace vmscan
