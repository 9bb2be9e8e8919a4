// What a dump without a map proves of the address space. A module is where the loader's list says, a stack where its
// thread says, and where bytes were dumped there was memory.
#include <algorithm>

#include "libvmscan/base/range_list.h"
#include "libvmscan/source/minidump/minidump_facts.h"
#include "libvmscan/source/windows/layout/memory_constants.h"

namespace vmscan {
namespace {

using PageList = std::vector<AllocationPages>;

AllocationPages pages_of(Range range, Address base, std::optional<State> state,
                         std::optional<Protection> protection = {}) {
  return {.range = range,
          .allocation_base = base,
          .kind = AllocationKind::Unknown,
          .state = state,
          .protection = protection};
}

/// Every page of a PE image is committed. Sections have the protections that the loader gives them.
void add_sections(const LoadedModule& module, std::uint64_t page, PageList& pages) {
  Address at = module.range.begin;
  const auto add = [&](Address end, std::optional<Protection> protection) {
    if (end <= at) return;
    pages.push_back(pages_of({at, end}, module.range.begin, State::Committed, protection));
    at = end;
  };
  for (const ImageSection& section : module.sections) {
    const Range range = whole_pages(section.range, page).intersect(module.range);
    add(range.begin, std::nullopt);
    add(range.end, section.protection);
  }
  add(module.range.end, std::nullopt);
}

PageList pages_of_modules(const MinidumpFile& dump, const std::vector<LoadedModule>& modules, std::uint64_t page) {
  PageList pages;
  const bool pe = dump.target.system == "windows";
  for (const LoadedModule& module : modules) {
    if (pe) {
      add_sections(module, page, pages);
    } else {  // segments may have gaps between them
      pages.push_back(pages_of(module.range, module.range.begin, std::nullopt));
    }
  }
  return pages;
}

PageList pages_of_stacks(const Allocations& allocations, std::uint64_t page) {
  PageList pages;
  for (const ThreadMemory& thread : allocations.threads) {
    if (!thread.stack) continue;
    const Range range = whole_pages(*thread.stack, page);
    const Range committed = whole_pages({thread.stack_limit.value_or(range.begin), range.end}, page).intersect(range);
    // Below the limit are guard pages and what is only reserved.
    if (range.begin < committed.begin) pages.push_back(pages_of({range.begin, committed.begin}, range.begin, {}));
    if (!committed.empty()) pages.push_back(pages_of(committed, range.begin, State::Committed));
  }
  return pages;
}

/// Windows begins allocations at multiples of 64 KiB: what touches the piece before it and does not begin there is part
/// of the same. Elsewhere nothing tells what belongs together, and pieces that touch are one.
PageList pages_of_memory(const MinidumpFile& dump, std::uint64_t page) {
  PageList pages;
  const bool windows = dump.target.system == "windows";
  for (const DumpedMemory& piece : dump.memory) {
    Range range = whole_pages(piece.range, page);
    const bool joins =
        !pages.empty() && range.begin <= pages.back().range.end && !(windows && range.begin % windows_granularity == 0);
    if (!pages.empty()) range.begin = std::max(range.begin, pages.back().range.end);
    if (range.empty()) continue;
    if (joins && !dump.full_memory) {
      pages.back().range.end = range.end;
    } else {
      const Address base = joins ? pages.back().allocation_base : range.begin;
      pages.push_back(pages_of(range, base, State::Committed));
    }
  }
  return pages;
}

/// Adds what of `further` lies where `pages` tell nothing. Both are sorted; a part that is cut off from the beginning
/// of its allocation begins one of its own.
PageList beneath(const PageList& pages, const PageList& further) {
  PageList all;
  all.reserve(pages.size() + further.size());
  std::size_t next = 0;
  Address covered = 0;
  const auto add = [&](AllocationPages part, Range range) {
    if (part.range.begin < covered) part.allocation_base = std::max(part.allocation_base, range.begin);
    part.range = range;
    if (!range.empty()) all.push_back(part);
  };
  for (const AllocationPages& each : further) {
    Address at = std::max(each.range.begin, covered);
    for (; next < pages.size() && pages[next].range.begin < each.range.end; ++next) {
      const Range& taken = pages[next].range;
      add(each, {at, taken.begin});
      all.push_back(pages[next]);
      covered = std::max(covered, taken.end);
      at = std::max(at, covered);
    }
    add(each, {at, each.range.end});
  }
  all.insert(all.end(), pages.begin() + static_cast<std::ptrdiff_t>(next), pages.end());
  return all;
}

}  // namespace

Range whole_pages(Range range, std::uint64_t page) {
  const Address last = (~Address{0} - page + 1) / page * page;
  return {range.begin / page * page, range.end > last ? range.end : (range.end + page - 1) / page * page};
}

std::vector<AllocationPages> proven_pages(const MinidumpFile& dump, const Allocations& allocations,
                                          std::uint64_t page_size) {
  PageList modules = pages_of_modules(dump, allocations.modules, page_size);
  PageList stacks = pages_of_stacks(allocations, page_size);
  untangle(stacks, [](AllocationPages&, std::uint64_t) {});  // threads may share a stack
  return beneath(beneath(modules, stacks), pages_of_memory(dump, page_size));
}

}  // namespace vmscan
