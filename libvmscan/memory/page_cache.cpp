#include "libvmscan/memory/page_cache.h"

#include <algorithm>

namespace vmscan {

std::span<const std::byte> PageCache::page(Address address) {
  if (const std::byte* kept = pages_.find(address)) return {kept, PageStore::page_bytes};
  const auto range = Range::make(address, PageStore::page_bytes);
  if (!range) return {};
  // What can be read may begin or end within the page only where a core is cut off: then it is left out.
  const std::vector<Range> parts = memory_.readable(*range);
  if (parts.size() != 1 || parts.front() != *range) return {};
  page_.resize(PageStore::page_bytes);
  if (memory_.read_once(address, page_) != page_.size()) return {};
  return {std::copy(page_.begin(), page_.end(), pages_.add(address)) - PageStore::page_bytes, PageStore::page_bytes};
}

std::span<const std::byte> PageCache::at(Address address, std::size_t size) {
  const std::size_t into = static_cast<std::size_t>(address % PageStore::page_bytes);
  const Address first = address - into;
  const std::span<const std::byte> bytes = page(first);
  if (bytes.empty()) return {};
  if (size <= bytes.size() - into) return bytes.subspan(into, size);
  const auto next = Range::make(first, PageStore::page_bytes);
  joined_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(into), bytes.end());
  if (!next || size - joined_.size() > PageStore::page_bytes) return {};
  const std::span<const std::byte> more = page(next->end);
  if (more.empty()) return {};
  joined_.insert(joined_.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(size - joined_.size()));
  return joined_;
}

std::optional<std::uint64_t> PageCache::word(Address address) {
  const auto bytes = at(address, memory_.word_bytes());
  if (bytes.empty()) return std::nullopt;
  return memory_.word_at(bytes, 0);
}

std::optional<std::uint32_t> PageCache::half(Address address) {
  const auto bytes = at(address, 4);
  if (bytes.empty()) return std::nullopt;
  return memory_.half_at(bytes, 0);
}

std::vector<Range> joined(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](Range a, Range b) { return a.begin < b.begin; });
  std::vector<Range> result;
  for (const Range& range : ranges) {
    if (range.empty()) continue;
    if (!result.empty() && range.begin <= result.back().end)
      result.back().end = std::max(result.back().end, range.end);
    else
      result.push_back(range);
  }
  return result;
}

Bytes bytes_in_ram(const Facts& facts, const std::vector<Range>& ranges) {
  if (!facts.pages_known) return {};
  std::uint64_t sum = 0;
  for (const Range& range : ranges) sum += facts.pages.count(range).in_ram();
  return sum;
}

}  // namespace vmscan
