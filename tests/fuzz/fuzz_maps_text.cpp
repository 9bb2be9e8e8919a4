// Any bytes as each text file of /proc/PID: what comes out keeps the promises of its parser, and smaps gives the same
// however it is cut into pieces.
#include <algorithm>
#include <cstdint>

#include "libvmscan/source/linux/text/maps_text.h"
#include "libvmscan/source/linux/text/proc_text.h"
#include "libvmscan/source/linux/text/smaps_text.h"
#include "tests/fuzz/require.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

void check_maps(std::string_view text) {
  const MapsText maps = parse_maps(text);
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  require(maps.mappings.size() <= lines, "no more mappings than lines");
  require(maps.notes.size() <= 20, "few notes");
  Address end = 0;
  bool ordered = true;
  for (const Mapping& mapping : maps.mappings) {
    require(!mapping.range.empty(), "a mapping is not empty");
    ordered &= mapping.range.begin >= end;
    end = mapping.range.end;
  }
  require(ordered == maps.ordered, "ordered says whether the mappings are");
  std::string_view rest = text;
  while (!rest.empty()) static_cast<void>(parse_maps_line(take_line(rest)));
}

std::vector<SmapsEntry> parse_in_pieces(std::string_view text, std::size_t piece) {
  SmapsParser parser;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) parser.feed(text.substr(0, piece));
  return parser.finish();
}

bool same(const SmapsFacts& a, const SmapsFacts& b) {
  return a.rss == b.rss && a.pss == b.pss && a.dirty == b.dirty && a.referenced == b.referenced && a.huge == b.huge &&
         a.swap == b.swap && a.swap_pss == b.swap_pss && a.anonymous == b.anonymous && a.locked == b.locked &&
         a.private_pages == b.private_pages && a.shared_pages == b.shared_pages && a.hugetlb == b.hugetlb &&
         a.kernel_page_size == b.kernel_page_size && a.vm_locked == b.vm_locked;
}

void check_smaps(std::string_view text) {
  const std::vector<SmapsEntry> whole = parse_in_pieces(text, text.size() + 1);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    const std::vector<SmapsEntry> entries = parse_in_pieces(text, piece);
    require(entries.size() == whole.size(), "as many entries in pieces as in one");
    for (std::size_t i = 0; i < entries.size(); ++i)
      require(entries[i].range == whole[i].range && same(*entries[i].facts, *whole[i].facts),
              "the same entries in pieces");
  }
}

void check_auxv(std::span<const std::byte> bytes) {
  const auto bits = auxv_pointer_bits(bytes);
  require(!bits || *bits == 32 || *bits == 64, "auxv is of 32 or 64 bits");
  for (const unsigned assumed : {32U, 64U}) static_cast<void>(auxv_value(bytes, assumed, 25));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_maps(text);
  check_smaps(text);
  check_auxv(std::as_bytes(std::span(data, size)));
  static_cast<void>(parse_status(text));
  static_cast<void>(parse_stat(text));
  static_cast<void>(parse_limit(text, "Max address space"));
  static_cast<void>(parse_cgroup(text));
  static_cast<void>(parse_memory_devices(text));
  if (const auto pointer = parse_syscall_stack_pointer(text)) require(*pointer != 0, "a stack pointer is not null");
  return 0;
}
