// cppgc, also called Oilpan: the garbage collector for C++ objects in V8, which holds the DOM in Chromium. Its heap is
// a cage at a multiple of its size (4 to 32 GiB); pages are 128 KiB, or multiples for large objects, and begin with
// {heap, space}. The second word of a space leads back to that heap, 8 bytes into it, which proves the page. An arena
// of any program may have heads like that: it is cppgc's only beside V8, and where mappings in the cage begin with
// nothing else. src/heap/cppgc/heap-page.h and heap-space.h; seen in renderers of Chromium 156.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t page_bytes = 128 << 10, least_cage_bytes = std::uint64_t{4} << 30;
constexpr std::uint64_t most_cage_bytes = std::uint64_t{64} << 30;
constexpr std::uint64_t longest_heap_head = 64;
constexpr std::size_t least_pages = 2, most_pages = 1 << 21, most_strange_share = 4;

class Finder {
 public:
  explicit Finder(RuntimeScan& scan) : scan_(scan), memory_(scan.memory) {}

  void find() {
    const bool v8 =
        std::ranges::any_of(scan_.parts, [](const RuntimePart& part) { return part.details.starts_with("V8 "); });
    if (!v8 || memory_.word_bytes() != 8) return;
    for (const Mapping& mapping : memory_.mappings())
      if (mapping.inode == 0 && !mapping.shared && mapping.write && mapping.range.begin % page_bytes == 0 &&
          !scan_.taken(mapping.range))
        look_at(mapping.range);
    for (const auto& [begin, found] : found_) add(found);
  }

 private:
  struct Found {
    Range reservation, pages;  // from the first of the pages to the end of the last
    std::size_t count = 0, strangers = 0;
    Address heap = 0;
  };

  void look_at(Range mapping) {
    const Range reservation = scan_.reservation_with(mapping.begin);
    if (reservation.size() < least_cage_bytes) return;
    for (const Range& run : memory_.readable(mapping)) {
      const auto first = Range::make(run.begin, page_bytes - 1);
      for (Address at = first ? first->end / page_bytes * page_bytes : run.end; at < run.end && left_ > 0; --left_) {
        take(at, at == mapping.begin, reservation);
        at = Range::make(at, page_bytes).value_or(run).end;
      }
    }
  }

  /// What lies between the beginnings of mappings may be the inside of a large page.
  void take(Address page, bool begins_mapping, Range reservation) {
    const Address heap = heap_of_page(page);
    if (heap == 0 && !begins_mapping) return;
    Found& found = found_[reservation.begin];
    found.reservation = reservation;
    if (heap == 0) {
      ++found.strangers;
      return;
    }
    if (found.count++ == 0) found.pages.begin = page;
    found.pages.end = page + page_bytes;
    found.heap = heap;
  }

  Address heap_of_page(Address page) {
    const Address heap = scan_.word(page).value_or(0), space = scan_.word(page + 8).value_or(0);
    if (!scan_.object(heap) || !scan_.object(space) || heap == space) return 0;
    const Address back = scan_.word(space + 8).value_or(0);
    return back >= heap && back - heap <= longest_heap_head ? heap : 0;
  }

  /// The smallest cage at a multiple of its size that holds the pages.
  void add(const Found& found) {
    if (found.count < least_pages || found.strangers * most_strange_share > found.count) return;
    for (std::uint64_t size = least_cage_bytes; size <= most_cage_bytes; size *= 2) {
      const auto cage = Range::make(found.pages.begin - found.pages.begin % size, size);
      if (!cage || !cage->contains(found.pages)) continue;
      if (found.reservation.contains(*cage) && !cage->contains(found.heap))
        scan_.add(*cage, "V8 C++ heap (cppgc)",
                  fmt::format("{} pages lead to the heap at {:#x} and back", found.count, found.heap));
      return;
    }
  }

  RuntimeScan& scan_;
  const TargetMemory& memory_;
  std::size_t left_ = most_pages;
  std::map<Address, Found> found_;  // by where their reservation begins
};

}  // namespace

void find_cppgc(RuntimeScan& scan) { Finder(scan).find(); }

}  // namespace vmscan
