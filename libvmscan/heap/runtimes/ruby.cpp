// Ruby (MRI): objects lie in pages of 16 KiB (up to 3.1) or 64 KiB, at multiples of that. A page begins with a pointer
// to its struct heap_page, in malloc's memory, which holds where the first slot of that page is (gc.c): the two prove
// each other. Large strings and arrays are malloc's. Nothing of this is exported; rb_gc_register_address tells Ruby's
// image. Seen on 3.1 (Debian 12) against GC.stat[:heap_allocated_pages].
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/heap/runtimes/runtimes.h"

namespace vmscan {
namespace {

constexpr std::uint64_t small_page = 16 << 10, large_page = 64 << 10, farthest_slot = 512;
constexpr std::size_t least_pages = 4, most_boundaries = 1 << 22, struct_words = 12;

bool is_page(RuntimeScan& scan, Address page) {
  const std::size_t word = scan.memory.word_bytes();
  const Address about = scan.word(page).value_or(0);
  if (!scan.object(about) || (about >= page && about - page < small_page)) return false;
  const std::byte* found = scan.bytes(about, struct_words * word);
  for (std::size_t i = 0; found != nullptr && i < struct_words; ++i) {
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
      for (Address at = first ? first->end / small_page * small_page : run.end; at < run.end && left > 0; --left) {
        if (is_page(scan, at)) pages.push_back(at);
        at = Range::make(at, small_page).value_or(run).end;
      }
    }
  }
  return pages;
}

}  // namespace

void find_ruby(RuntimeScan& scan) {
  const bool runs = std::any_of(scan.exported.begin(), scan.exported.end(), [](const ImageSymbols& image) {
    return image.find("rb_gc_register_address").has_value();
  });
  if (!runs) return;
  const std::vector<Address> pages = find_pages(scan);
  if (pages.size() < least_pages) return;
  const bool large = std::all_of(pages.begin(), pages.end(), [](Address page) { return page % large_page == 0; });
  for (const Address page : pages)
    if (const auto range = Range::make(page, large ? large_page : small_page))
      scan.add(*range, "Ruby heap", fmt::format("struct heap_page at {:#x}", scan.word(page).value_or(0)));
}

}  // namespace vmscan
