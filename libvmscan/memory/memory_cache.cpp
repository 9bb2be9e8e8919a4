#include "libvmscan/memory/memory_cache.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace vmscan {
namespace {

constexpr std::uint64_t page_bytes = PageStore::page_bytes;
constexpr std::uint64_t at_once = 4 * page_bytes;  // a call costs as much as copying so much
constexpr std::size_t most_kept = 2 * page_bytes;  // larger reads are windows over what is looked at once

}  // namespace

/// What is kept from there on, without a gap.
std::size_t MemoryCache::copy_kept(Address address, std::span<std::byte> buffer) const {
  const std::lock_guard guard(lock_);
  std::size_t done = 0;
  while (done < buffer.size()) {
    const std::size_t into = static_cast<std::size_t>((address + done) % page_bytes);
    const std::byte* page = store_.find(address + done - into);
    if (page == nullptr) break;
    const std::size_t size = std::min<std::size_t>(buffer.size() - done, page_bytes - into);
    std::memcpy(buffer.data() + done, page + into, size);
    done += size;
  }
  return done;
}

/// Whole pages in RAM around what is asked for: reading what is not would change the target. Empty where there are
/// none.
Range MemoryCache::worth_reading(Address address, std::size_t size) const {
  const auto wanted = Range::make(address, size);
  if (!facts_.pages_known || !wanted || wanted->end > ~at_once) return {};
  const Range around{wanted->begin / page_bytes * page_bytes, (wanted->end + at_once - 1) / at_once * at_once};
  Range found{around.begin, around.begin};
  for (const PageRun& run : facts_.pages.touching(around)) {
    if (run.range.begin > found.end || (run.condition & page::present) == 0) break;
    found.end = std::min(run.range.end, around.end);
  }
  return found.contains(*wanted) && found.begin % page_bytes == 0 && found.end % page_bytes == 0 ? found : Range{};
}

Result<std::size_t> MemoryCache::read_and_keep(Range pages, Address address, std::span<std::byte> buffer) const {
  std::array<std::byte, most_kept + 2 * at_once> bytes;  // NOLINT: filled before it is read
  const auto read = reader_.read_some(pages.begin, std::span(bytes).first(static_cast<std::size_t>(pages.size())));
  if (!read) return read;
  const std::size_t into = static_cast<std::size_t>(address - pages.begin);
  if (*read <= into) return std::size_t{0};
  const std::size_t size = std::min(buffer.size(), *read - into);
  std::memcpy(buffer.data(), bytes.data() + into, size);
  const std::lock_guard guard(lock_);
  for (std::size_t at = 0; at + page_bytes <= *read; at += page_bytes)
    if (store_.find(pages.begin + at) == nullptr)
      std::memcpy(store_.add(pages.begin + at), bytes.data() + at, page_bytes);
  return size;
}

Result<std::size_t> MemoryCache::do_read(Address address, std::span<std::byte> buffer) const {
  if (buffer.size() > most_kept) return reader_.read_some(address, buffer);
  const std::size_t kept = copy_kept(address, buffer);
  if (kept > 0 || buffer.empty()) return kept;
  const Range pages = worth_reading(address, buffer.size());
  return pages.empty() ? reader_.read_some(address, buffer) : read_and_keep(pages, address, buffer);
}

}  // namespace vmscan
