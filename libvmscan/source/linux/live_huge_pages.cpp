// Which pages behind stacks and arenas of malloc are transparent huge pages: PAGEMAP_SCAN says so of each. On older
// kernels smaps tells how many bytes of a mapping are in huge pages; when that is all that could be, it is known of
// each as well.
#include <algorithm>
#include <array>

#include "libvmscan/source/linux/live_memory.h"
#include "libvmscan/source/linux/pagemap_scan.h"
#include "libvmscan/source/linux/text/maps_text.h"

namespace vmscan {
namespace {

constexpr const char* size_file = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";
constexpr const char* policy_file = "/sys/kernel/mm/transparent_hugepage/enabled";

HugePages::Policy policy_of_system() {
  const std::string text = read_system_file(policy_file);
  if (text.empty()) return HugePages::Policy::Unknown;
  return text.find("[always]") != std::string::npos ? HugePages::Policy::Always : HugePages::Policy::OnRequest;
}

/// The whole pages within `range`.
Range whole_pages(Range range, std::uint64_t page_size) {
  const std::uint64_t before = (page_size - range.begin % page_size) % page_size;
  if (before >= range.size()) return {};
  return {range.begin + before, range.end - range.end % page_size};
}

/// Where huge pages can be within `range`: aligned, and all of it in RAM.
std::vector<Address> possible_pages(Range range, std::uint64_t size, const PageRuns& pages) {
  std::vector<Address> found;
  const Address skipped = (size - range.begin % size) % size;
  if (skipped >= range.size()) return found;
  for (Address at = range.begin + skipped; at < range.end && range.end - at >= size; at += size) {
    const PageCounts counts = pages.count({at, at + size});
    if (counts.hugetlb == 0 && counts.anonymous_exclusive + counts.anonymous_shared == size) found.push_back(at);
  }
  return found;
}

/// Those that the kernel says are huge; nothing when it does not answer.
std::optional<std::vector<Address>> scanned(const PagemapScan& scan, Range range, std::uint64_t size,
                                            const PageRuns& pages) {
  std::vector<Address> found;
  std::array<scan::PageRegion, 64> regions{};
  for (Address at = range.begin; at < range.end;) {
    const auto step = scan.find({at, range.end}, scan::huge, 0, regions);
    if (!step) return std::nullopt;
    for (std::size_t i = 0; i < step->regions; ++i)
      for (const Address page : possible_pages(Range{regions[i].start, regions[i].end}.intersect(range), size, pages))
        found.push_back(page);
    at = step->next;
  }
  return found;
}

/// Where huge pages are looked for: arenas, and stacks that have at least one possible page.
std::vector<Range> searched_ranges(const CollectOptions& options, std::uint64_t size, const Facts& facts) {
  std::vector<Range> ranges;
  if (options.huge_pages)
    for (const HeapPart& part : facts.heaps)
      if (part.kind == HeapPart::Kind::Arena) ranges.push_back(whole_pages(part.range, facts.target.page_size));
  for (const ThreadStack& stack : facts.stacks) {
    const Range range = whole_pages(stack.range, facts.target.page_size);
    if (range.size() >= size && !possible_pages(range, size, facts.pages).empty()) ranges.push_back(range);
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  Address end = 0;
  for (Range& range : ranges) {  // a stack may lie in an arena
    range.begin = std::min(range.end, std::max(range.begin, end));
    end = std::max(end, range.end);
  }
  std::erase_if(ranges, [](const Range& range) { return range.empty(); });
  return ranges;
}

}  // namespace

/// By smaps: those of mappings that have as many bytes in huge pages as could be.
std::vector<Address> LiveMemory::huge_by_smaps(const std::vector<Range>& ranges, std::uint64_t size, const Facts& facts,
                                               bool& complete) const {
  std::vector<Address> found;
  complete = smaps_read_;
  if (!smaps_read_) return found;
  auto mapping = facts.mappings.begin();
  for (const Range& range : ranges) {
    mapping = std::partition_point(mapping, facts.mappings.end(),
                                   [&](const Mapping& each) { return each.range.end <= range.begin; });
    for (auto at = mapping; at != facts.mappings.end() && at->range.begin < range.end; ++at) {
      if (at->inode != 0 || at->shared) continue;
      const std::vector<Address> pages = possible_pages(range.intersect(at->range), size, facts.pages);
      if (pages.empty() || (at->smaps && at->smaps->huge == Bytes{0})) continue;
      const std::size_t possible = possible_pages(at->range, size, facts.pages).size();
      if (at->smaps && at->smaps->huge == Bytes{possible * size})
        found.insert(found.end(), pages.begin(), pages.end());
      else
        complete = false;
    }
  }
  return found;
}

void LiveMemory::find_huge_pages(const CollectOptions& options, Facts& facts) {
  HugePages huge{.size = 0, .policy = HugePages::Policy::Unknown, .pages = {}};
  if (!facts.pages_known || (facts.stacks.empty() && !options.huge_pages)) return;
  const std::string text = read_system_file(size_file);
  std::string_view rest = text;
  if (!take_decimal(rest, huge.size) || huge.size < facts.target.page_size || huge.size % facts.target.page_size != 0)
    return;
  const std::vector<Range> ranges = searched_ranges(options, huge.size, facts);
  if (ranges.empty() && !options.huge_pages) return;
  huge.policy = policy_of_system();
  const PagemapScan scan(pagemap_.get(), facts.target.page_size);
  if (options.features.pagemap_scan && scan.available()) {
    for (const Range& range : ranges) {
      const auto pages = scanned(scan, range, huge.size, facts.pages);
      if (!pages) return;
      huge.pages.insert(huge.pages.end(), pages->begin(), pages->end());
    }
  } else {
    if (options.huge_pages && !ranges.empty() && !smaps_read_ && (!options.features.smaps || !read_smaps(facts)))
      return;
    huge.pages = huge_by_smaps(ranges, huge.size, facts, huge.complete);
  }
  facts.huge_pages = std::move(huge);
}

}  // namespace vmscan
