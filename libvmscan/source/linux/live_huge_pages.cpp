// Which pages behind arenas of malloc are transparent huge pages: PAGEMAP_SCAN says so of each. On older kernels smaps
// tells how many bytes of a mapping are in huge pages; when that is all that could be, it is known of each as well.
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

/// The parts of the arenas that the mapping holds.
std::vector<Range> arenas_in(const Mapping& mapping, const Facts& facts) {
  std::vector<Range> ranges;
  if (mapping.inode != 0 || mapping.shared) return ranges;
  for (const HeapPart& part : facts.heaps)
    if (part.kind == HeapPart::Kind::Arena && part.range.overlaps(mapping.range))
      ranges.push_back(whole_pages(part.range.intersect(mapping.range), facts.target.page_size));
  return ranges;
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

}  // namespace

void LiveMemory::find_huge_pages(const KernelFeatures& features, Facts& facts) {
  HugePages huge{.size = 0, .policy = policy_of_system(), .pages = {}};
  const std::string text = read_system_file(size_file);
  std::string_view rest = text;
  if (!facts.pages_known || !take_decimal(rest, huge.size) || huge.size < facts.target.page_size) return;
  const PagemapScan scan(pagemap_.get(), facts.target.page_size);
  const bool use_scan = features.pagemap_scan && scan.available();
  for (std::size_t i = 0; i < facts.mappings.size(); ++i) {
    const Mapping& mapping = facts.mappings[i];
    for (const Range& range : arenas_in(mapping, facts)) {
      std::vector<Address> pages = possible_pages(range, huge.size, facts.pages);
      if (pages.empty()) continue;
      if (use_scan) {
        auto known = scanned(scan, range, huge.size, facts.pages);
        if (!known) return;
        pages = std::move(*known);
      } else {
        if (!smaps_read_ && (!features.smaps || !read_smaps(facts))) return;
        const std::size_t possible = possible_pages(mapping.range, huge.size, facts.pages).size();
        if (!mapping.smaps || mapping.smaps->huge != Bytes{possible * huge.size}) continue;
      }
      huge.pages.insert(huge.pages.end(), pages.begin(), pages.end());
    }
  }
  facts.huge_pages = std::move(huge);
}

}  // namespace vmscan
