#include "libvmscan/heap/heap_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "libvmscan/heap/block_looks.h"
#include "libvmscan/owners/allocators/glibc/glibc_places.h"
#include "libvmscan/owners/allocators/glibc/glibc_walk.h"
#include "libvmscan/owners/allocators/jemalloc/jemalloc.h"
#include "libvmscan/owners/allocators/mimalloc/mimalloc.h"
#include "libvmscan/owners/allocators/musl/mallocng.h"
#include "libvmscan/owners/allocators/musl/musl_bump.h"
#include "libvmscan/owners/allocators/tcmalloc/tcmalloc.h"

namespace vmscan {
namespace {

/// What an allocator needs for itself holds no blocks, and a few bytes between glibc's blocks are nobody's. Of the
/// others' extents and spans, each thread may be making one just now.
bool may_hold_blocks(const HeapTotals& heap, std::size_t threads) {
  if (heap.unread == 0 || heap.name.ends_with("metadata")) return false;
  return heap.allocator == "glibc" ? heap.broken > 0 : heap.broken == 0 || heap.broken > threads;
}

/// One for each allocator with heaps of which a part was not understood. How much of it lives is not known where none
/// of its structures are broken, but all of a kind that this version does not know.
void check_unread(HeapReport& report, std::size_t threads) {
  std::map<std::string, HeapTotals> unread;
  for (const HeapTotals& heap : report.heaps)
    if (may_hold_blocks(heap, threads)) unread[heap.allocator] += heap;
  for (const auto& [allocator, sum] : unread)
    report.shortfalls.push_back({.allocator = allocator,
                                 .figures = HeapShortfall::Figures::Blocks,
                                 .reason = HeapShortfall::Reason::NotUnderstood,
                                 .blocks = {},
                                 .bytes = sum.broken > 0 ? Bytes{sum.unread} : Bytes{}});
}

void add_swapped(const std::string& allocator, std::uint64_t bytes, std::vector<HeapShortfall>& shortfalls) {
  const auto same = std::ranges::find_if(shortfalls, [&](const HeapShortfall& each) {
    return each.allocator == allocator && each.reason == HeapShortfall::Reason::SwappedOut;
  });
  if (same != shortfalls.end())
    same->bytes += bytes;
  else
    shortfalls.push_back({.allocator = allocator,
                          .figures = HeapShortfall::Figures::Blocks,
                          .reason = HeapShortfall::Reason::SwappedOut,
                          .blocks = {},
                          .bytes = bytes});
}

/// What swapped pages kept from being read is no fault of the heap's, and there is a way to see it.
void tell_swapped(const TargetMemory& memory, HeapReport& report) {
  const auto& told = memory.facts().notes;  // what the search for owners left out is not sought again
  const bool before = std::ranges::any_of(told, [](const Note& note) { return note.code == "swapped_unread"; });
  if (!memory.left_out_swapped() && !before) return;
  report.left_out_swapped = true;
  blame_swapped(report.shortfalls);
  std::map<std::string, std::uint64_t> unread;
  for (const HeapTotals& heap : report.heaps)
    if (heap.residency && heap.broken == 0) unread[heap.allocator] += heap.residency->swapped.unread;
  for (const auto& [allocator, bytes] : unread)
    if (bytes > 0) add_swapped(allocator, bytes, report.shortfalls);
}

}  // namespace

Result<HeapReport> walk_heaps(const Facts& facts, const MemoryReader& reader, const HeapOptions& options) {
  const TargetMemory memory(facts, reader);
  HeapReport report = walk_glibc(memory, options);
  for (const auto walk : {walk_jemalloc, walk_mallocng, walk_mimalloc, walk_tcmalloc, walk_musl_bump})
    walk(memory, options, report);
  if (memory.refusal()) return std::unexpected(*memory.refusal());
  check_unread(report, facts.threads.size());
  memory.add_note_when_exhausted(report.notes);
  tell_swapped(memory, report);
  if (report.heaps.empty() && !report.left_out_swapped && !holds_data_of_libc(memory))
    return fail(ErrorCode::Unsupported,
                fmt::format("{}: it holds no memory of the C library, where malloc keeps its heaps: a core or a dump "
                            "with all memory has it",
                            memory.facts().target.name));
  std::stable_sort(report.blocks.begin(), report.blocks.end(),
                   [](const HeapBlock& a, const HeapBlock& b) { return a.address < b.address; });
  look_at_blocks(memory, options.contents, report);
  return report;
}

}  // namespace vmscan
