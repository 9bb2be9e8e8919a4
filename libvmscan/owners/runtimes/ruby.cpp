// Ruby (MRI): objects lie in pages of 16 KiB (up to 3.1) or 64 KiB, at multiples of that. A page begins with a pointer
// to its struct heap_page, in malloc's memory, which begins with the size and number of its slots (16 bits each) and
// holds where the first of them is (gc.c): the two prove each other. Up to 3.2 a static variable points to 32 MiB for
// young arrays and structs (transient_heap.c), in blocks of 32 KiB that hold the address of the block before them while
// they are free. Large strings and arrays are malloc's. Nothing of this is exported; rb_gc_register_address tells
// Ruby's image. Seen on 3.1 (Debian 12) against GC.stat[:heap_allocated_pages].
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t small_page = 16 << 10, large_page = 64 << 10, farthest_slot = 1024, least_slot = 32;
constexpr std::uint64_t transient_bytes = 32 << 20, transient_block = 32 << 10;
constexpr std::size_t least_linked = 16, least_pages = 4, most_boundaries = 1 << 22, struct_words = 12;
constexpr std::size_t most_unread = 1 << 10;  // pages in a row: what follows is only said to be there

bool is_page(RuntimeScan& scan, Address page) {
  const std::size_t word = scan.memory.word_bytes();
  const Address about = scan.word(page).value_or(0);
  if (!scan.object(about) || (about >= page && about - page < small_page)) return false;
  const std::byte* found = scan.bytes(about, struct_words * word);
  if (found == nullptr) return false;
  const std::uint32_t sizes = scan.memory.half_at({found, struct_words * word}, 0), slot_bytes = sizes & 0xffff;
  const std::uint64_t slots_bytes = std::uint64_t{slot_bytes} * (sizes >> 16);
  if (slot_bytes < least_slot || slot_bytes % 8 != 0 || slots_bytes > large_page || slots_bytes < small_page / 2)
    return false;
  for (std::size_t i = 0; i < struct_words; ++i) {
    const Address slot = scan.memory.word_at({found, struct_words * word}, i * word);
    if (slot > page && slot - page <= farthest_slot) return true;
  }
  return false;
}

std::vector<Address> find_pages(RuntimeScan& scan) {
  std::vector<Address> pages;
  std::size_t left = most_boundaries;
  for (const Mapping& mapping : scan.memory.mappings()) {
    if (mapping.inode != 0 || mapping.shared || !mapping.write) continue;
    for (const Range& run : scan.memory.readable(mapping.range)) {
      const auto first = Range::make(run.begin, small_page - 1);
      std::size_t unread = 0;
      for (Address at = first ? first->end / small_page * small_page : run.end;
           at < run.end && left > 0 && unread < most_unread; --left) {
        unread = scan.word(at) ? 0 : unread + 1;
        if (unread == 0 && is_page(scan, at)) pages.push_back(at);
        at = Range::make(at, small_page).value_or(run).end;
      }
    }
  }
  return pages;
}

/// Whether the blocks that are free say that the memory for young arrays begins here.
bool is_transient_heap(RuntimeScan& scan, Address begin) {
  const auto range = Range::make(begin, transient_bytes);
  if (begin % transient_block != 0 || !range || !scan.memory.mapped(*range)) return false;
  std::size_t linked = 0;
  for (Address block = begin + transient_block; block < range->end; block += transient_block)
    linked += scan.word(block + scan.memory.word_bytes()) == block - transient_block;
  return linked >= least_linked;
}

}  // namespace

void find_ruby(RuntimeScan& scan) {
  const auto ruby = std::find_if(scan.exported.begin(), scan.exported.end(), [](const ImageSymbols& image) {
    return image.find("rb_gc_register_address").has_value();
  });
  if (ruby == scan.exported.end()) return;
  const std::vector<Address> pages = find_pages(scan);
  if (pages.size() < least_pages) return;
  const bool large = std::all_of(pages.begin(), pages.end(), [](Address page) { return page % large_page == 0; });
  for (const Address page : pages)
    if (const auto range = Range::make(page, large ? large_page : small_page))
      scan.add(*range, "Ruby heap", fmt::format("struct heap_page at {:#x}", scan.word(page).value_or(0)));
  for (const Address begin : scan.objects_pointed_to(ruby->bytes().loaded().span)) {
    if (!is_transient_heap(scan, begin)) continue;
    scan.add({begin, begin + transient_bytes}, "Ruby transient heap", "its free blocks hold the blocks before them");
    break;
  }
}

}  // namespace vmscan
