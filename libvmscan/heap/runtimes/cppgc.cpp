// cppgc, also called Oilpan: the garbage collector for C++ objects in V8, which holds the DOM in Chromium. Its heap is
// a cage at a multiple of its size (4 to 32 GiB); pages are 128 KiB, or multiples for large objects, and begin with
// {heap, space}. The second word of a space leads back to that heap, 8 bytes into it, which proves the page.
// src/heap/cppgc/heap-page.h and heap-space.h; seen in renderers of Chromium 156.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "libvmscan/heap/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t page_bytes = 128 << 10, least_cage_bytes = std::uint64_t{4} << 30;
constexpr std::uint64_t most_cage_bytes = std::uint64_t{64} << 30;
constexpr std::uint64_t longest_heap_head = 64;
constexpr std::size_t least_pages = 2, most_pages = 1 << 21;

struct Cage {
  std::size_t pages = 0;
  Address heap = 0;
};

/// The largest cage at a multiple of its size that holds the address and lies in the reservation; empty: none does.
Range cage_with(Address address, Range reservation) {
  for (std::uint64_t size = most_cage_bytes; size >= least_cage_bytes; size /= 2) {
    const auto cage = Range::make(address - address % size, size);
    if (cage && reservation.contains(*cage)) return *cage;
  }
  return {};
}

Address heap_of_page(RuntimeScan& scan, Address page) {
  const Address heap = scan.word(page).value_or(0), space = scan.word(page + 8).value_or(0);
  if (!scan.object(heap) || !scan.object(space) || heap == space) return 0;
  const Address back = scan.word(space + 8).value_or(0);
  return back >= heap && back - heap <= longest_heap_head ? heap : 0;
}

}  // namespace

void find_cppgc(RuntimeScan& scan) {
  if (scan.memory.word_bytes() != 8) return;
  std::map<Address, std::pair<Range, Cage>> cages;
  std::size_t left = most_pages;
  for (const Mapping& mapping : scan.memory.mappings()) {
    if (mapping.inode != 0 || mapping.shared || !mapping.write || mapping.range.begin % page_bytes != 0) continue;
    if (scan.taken(mapping.range)) continue;
    const Range reservation = scan.reservation_with(mapping.range.begin);
    if (reservation.size() < least_cage_bytes) continue;
    for (const Range& run : scan.memory.readable(mapping.range)) {
      const auto first = Range::make(run.begin, page_bytes - 1);
      for (Address at = first ? first->end / page_bytes * page_bytes : run.end; at < run.end && left > 0; --left) {
        const Address page = std::exchange(at, Range::make(at, page_bytes).value_or(run).end);
        const Address heap = heap_of_page(scan, page);
        const Range cage = heap != 0 ? cage_with(page, reservation) : Range{};
        if (cage.empty() || cage.contains(heap)) continue;
        auto& [range, found] = cages[cage.begin];
        range = cage;
        found.heap = heap;
        ++found.pages;
      }
    }
  }
  for (const auto& [begin, cage] : cages)
    if (cage.second.pages >= least_pages)
      scan.add(cage.first, "V8 C++ heap (cppgc)",
               fmt::format("{} pages lead to the heap at {:#x} and back", cage.second.pages, cage.second.heap));
}

}  // namespace vmscan
