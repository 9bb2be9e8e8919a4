#include "libvmscan/strings/extents.h"

namespace vmscan {
namespace {

void append(std::vector<Extent>& list, Range range, std::size_t region) {
  if (!list.empty() && list.back().region == region && list.back().range.end == range.begin)
    list.back().range.end = range.end;
  else
    list.push_back({range, region});
}

bool is_wanted(const Block& block, const ExtentChoice& choice) {
  if (block.state != State::Committed) return false;
  return !choice.writable || (block.protection && (block.protection->write || block.protection->copy_on_write));
}

/// What is asked for, whether it is in RAM or not.
Extents committed_extents(const Snapshot& snapshot, const ExtentChoice& choice) {
  Extents extents;
  for (std::size_t i = 0; i < snapshot.regions.size(); ++i) {
    const Region& region = snapshot.regions[i];
    if (region.type == RegionType::Unusable || region.type == RegionType::Free) continue;
    if (choice.region && !choice.region(region)) continue;
    for (const Block& block : region.blocks) {
      const Range range = choice.within ? block.range.intersect(*choice.within) : block.range;
      if (range.empty() || !is_wanted(block, choice)) continue;
      if (block.protection && !block.protection->read)
        extents.unreadable_bytes += range.size();
      else
        append(extents.list, range, i);
    }
  }
  return extents;
}

/// The parts of the extents that lie in `present`; both sorted.
std::vector<Extent> intersect(const std::vector<Extent>& extents, const std::vector<Range>& present) {
  std::vector<Extent> both;
  std::size_t at = 0;
  for (const Extent& extent : extents) {
    while (at < present.size() && present[at].end <= extent.range.begin) ++at;
    for (std::size_t i = at; i < present.size() && present[i].begin < extent.range.end; ++i)
      append(both, extent.range.intersect(present[i]), extent.region);
  }
  return both;
}

/// pagemap knows whole pages only.
std::vector<Range> whole_pages(const std::vector<Extent>& extents, std::uint64_t page_size) {
  std::vector<Range> pages;
  for (const Extent& extent : extents) {
    const Address begin = extent.range.begin / page_size * page_size;
    const Address last = (extent.range.end - 1) / page_size * page_size;
    const auto page = Range::make(last, page_size);
    const Range range{begin, page ? page->end : extent.range.end};
    if (!pages.empty() && pages.back().end >= range.begin)
      pages.back().end = range.end;
    else
      pages.push_back(range);
  }
  return pages;
}

}  // namespace

std::uint64_t Extents::bytes() const {
  std::uint64_t sum = 0;
  for (const Extent& extent : list) sum += extent.range.size();
  return sum;
}

Result<Extents> choose_extents(const Snapshot& snapshot, const MemoryReader& memory, const ExtentChoice& choice) {
  Extents extents = committed_extents(snapshot, choice);
  if (extents.list.empty()) return extents;
  const TargetKind kind = snapshot.target.kind;
  const bool file = kind == TargetKind::Core || kind == TargetKind::Minidump;  // it has no other pages
  const std::uint64_t page_size = snapshot.target.page_size == 0 ? 4096 : snapshot.target.page_size;
  const std::vector<Range> pages = whole_pages(extents.list, page_size);
  const auto present = choice.absent_too && !file ? memory.stored(pages) : memory.present(pages);
  if (!present) return std::unexpected(present.error());
  const std::uint64_t committed = extents.bytes();
  extents.list = intersect(extents.list, *present);
  extents.absent_bytes = committed - extents.bytes();
  return extents;
}

}  // namespace vmscan
