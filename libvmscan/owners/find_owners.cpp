#include "libvmscan/owners/find_owners.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <iterator>

#include "libvmscan/base/run_on_threads.h"
#include "libvmscan/owners/allocators/glibc/glibc_search.h"
#include "libvmscan/owners/allocators/glibc/glibc_walk.h"
#include "libvmscan/owners/allocators/jemalloc/jemalloc.h"
#include "libvmscan/owners/allocators/mimalloc/mimalloc.h"
#include "libvmscan/owners/allocators/musl/mallocng.h"
#include "libvmscan/owners/allocators/musl/musl_bump.h"
#include "libvmscan/owners/allocators/tcmalloc/tcmalloc.h"
#include "libvmscan/owners/loader/loader_data.h"
#include "libvmscan/owners/runtimes/runtimes.h"

namespace vmscan {
namespace {

void add_arena(const GlibcArena& arena, std::vector<HeapPart>& parts) {
  for (std::size_t i = 0; i < arena.heaps.size(); ++i) {
    const GlibcHeap& heap = arena.heaps[i];
    if (heap.first_chunk == 0) continue;  // nothing in it looks like a block
    HeapPart part{.range = heap.reserved, .kind = HeapPart::Kind::Arena, .details = {}, .evidence = {}};
    part.details = arena.number == 0 ? "main arena" : fmt::format("arena {}", arena.number);
    part.evidence = fmt::format("glibc's malloc_state at {:#x}", arena.address);
    if (arena.heaps.size() > 1) part.evidence += fmt::format(", heap {} of {}", i + 1, arena.heaps.size());
    parts.push_back(std::move(part));
  }
}

template <class Item>
std::vector<Range> ranges_of(const std::vector<Item>& items) {
  std::vector<Range> ranges;
  ranges.reserve(items.size());
  for (const Item& item : items) ranges.push_back(item.range);
  return joined(std::move(ranges));
}

void add_ranges(const std::vector<Range>& ranges, std::string_view details, const std::string& evidence,
                std::vector<HeapPart>& parts) {
  for (const Range& range : ranges)
    parts.push_back(
        {.range = range, .kind = HeapPart::Kind::Allocator, .details = std::string(details), .evidence = evidence});
}

std::vector<HeapPart> glibc_parts(const GlibcHeaps& found, std::uint64_t page_bytes,
                                  std::vector<HeapShortfall>& shortfalls) {
  std::vector<HeapPart> parts;
  for (const GlibcArena& arena : found.arenas) add_arena(arena, parts);
  check_glibc_totals(found, page_bytes, HeapShortfall::Figures::Regions, shortfalls);
  for (const GlibcMappedBlock& block : found.blocks)
    parts.push_back({.range = block.range,
                     .kind = HeapPart::Kind::Block,
                     .details = "block of malloc",
                     .evidence = fmt::format("glibc's header of a mapped block at {:#x}", block.chunk)});
  return parts;
}

std::shared_ptr<const GlibcHeaps> find_glibc(const TargetMemory& memory, std::uint64_t most_bytes) {
  return std::make_shared<const GlibcHeaps>(find_glibc_heaps(memory, {.bytes = most_bytes}));
}

/// Whether its own library is loaded: a sign that it is there, where its structures do not say so.
bool library_loaded(const TargetMemory& memory, std::string_view allocator) {
  return std::ranges::any_of(memory.mappings(), [&](const Mapping& mapping) {
    return mapping.execute && file_name(mapping.path).starts_with(fmt::format("lib{}", allocator));
  });
}

void add_jemalloc(PageCache& cache, std::vector<HeapPart>& parts) {
  const JemallocHeaps found = find_jemalloc(cache);
  const std::string evidence = fmt::format("jemalloc's tree of extents at {:#x}", found.root);
  add_ranges(ranges_of(found.extents), "jemalloc", evidence, parts);
  add_ranges(found.metadata, "jemalloc metadata", evidence, parts);
}

void add_mallocng(const TargetMemory& memory, std::vector<HeapPart>& parts, std::vector<HeapShortfall>& shortfalls) {
  const MallocngHeaps found = find_mallocng(memory);
  check_mallocng(found, HeapShortfall::Figures::Regions, shortfalls);
  std::vector<Range> ranges;
  for (const MallocngGroup& group : found.groups)
    if (group.mapped != 0) ranges.push_back(group.range());
  const std::string evidence = fmt::format("musl's malloc_context at {:#x}", found.context);
  add_ranges(joined(std::move(ranges)), "mallocng", evidence, parts);
  add_ranges(joined(found.areas), "mallocng metadata", evidence, parts);
}

void add_mimalloc(const TargetMemory& memory, std::vector<HeapPart>& parts) {
  MimallocHeaps found = find_mimalloc(memory);
  add_ranges(joined(std::move(found.segments)), "mimalloc",
             fmt::format("cookies of mimalloc's segments with the key {:#x}", found.key), parts);
  for (const Range& arena : find_mimalloc_arenas(memory))
    add_ranges({arena}, "mimalloc", fmt::format("mi_arena_t at {:#x}", arena.begin), parts);
}

void add_tcmalloc(PageCache& cache, std::vector<HeapPart>& parts) {
  const TcmallocHeaps found = find_tcmalloc(cache);
  const std::string evidence = fmt::format("tcmalloc's page map at {:#x}", found.root);
  add_ranges(ranges_of(found.spans), "tcmalloc", evidence, parts);
  add_ranges(found.metadata, "tcmalloc metadata", evidence, parts);
}

void add_musl_bump(const MuslBump& found, std::vector<HeapPart>& parts, std::vector<HeapShortfall>& shortfalls) {
  for (const MuslBump::Area& area : found.areas)
    add_ranges({area.range}, "musl bump area", fmt::format("musl's brk, cur and end at {:#x}", found.state), parts);
  if (found.mapped) shortfalls.push_back({.allocator = "musl", .blocks = {}, .bytes = {}});
}

/// Starting one costs more than it saves where there is little to look at.
bool worth_a_thread(const Facts& facts) {
  constexpr std::uint64_t least = std::uint64_t{32} << 20;
  return facts.kernel.rss.value_or(least) >= least && processors() > 1;
}

/// What does not depend on glibc's heaps.
struct Others {
  std::vector<HeapPart> parts;  // of other allocators
  std::vector<HeapShortfall> shortfalls;
  MuslBump bump;  // counts only where there is no other allocator
  std::vector<Range> loader;
};

/// Whether private memory can be read at all: a core may hold none of it.
bool any_contents(const TargetMemory& memory) {
  constexpr int most_tries = 64;
  int tries = 0;
  for (const Mapping& mapping : memory.mappings()) {
    if (mapping.inode != 0 || mapping.shared || !mapping.read || !mapping.write) continue;
    std::byte byte{};
    const std::vector<Range> runs = memory.readable(mapping.range);
    if (!runs.empty() && memory.read(runs.front().begin, {&byte, 1}) == 1) return true;
    if (++tries == most_tries) break;
  }
  return false;
}

/// Of a version that is not known, or in motion while it was looked at. Not told where another one was found, which the
/// program may use instead.
void tell_not_understood(const TargetMemory& memory, std::vector<HeapShortfall>& shortfalls) {
  for (const std::string_view allocator : {"jemalloc", "mimalloc", "tcmalloc"})
    if (library_loaded(memory, allocator) && any_contents(memory))
      shortfalls.push_back({.allocator = std::string(allocator),
                            .reason = HeapShortfall::Reason::NotUnderstood,
                            .blocks = {},
                            .bytes = {}});
}

Others find_others(const TargetMemory& memory) {
  Others found;
  PageCache cache(memory);
  add_jemalloc(cache, found.parts);
  add_mallocng(memory, found.parts, found.shortfalls);
  add_mimalloc(memory, found.parts);
  add_tcmalloc(cache, found.parts);
  if (found.parts.empty()) {
    tell_not_understood(memory, found.shortfalls);
    found.bump = find_musl_bump(memory);
  }
  found.loader = find_loader_data(memory);
  return found;
}

void add_loader(const TargetMemory& memory, const std::vector<Range>& ranges, std::vector<HeapPart>& parts) {
  const auto& threads = memory.facts().threads;
  const auto has_thread = [&](const Range& range) {
    return std::ranges::any_of(
        threads, [&](const Thread& each) { return each.control_block && range.contains(*each.control_block); });
  };
  const auto taken = [&](const Range& range) {  // a library that is loaded later has its link_map from malloc
    return std::ranges::any_of(parts, [&](const HeapPart& part) { return part.range.overlaps(range); });
  };
  for (const Range& range : ranges)
    if (!taken(range))
      parts.push_back({.range = range,
                       .kind = HeapPart::Kind::Loader,
                       .details = has_thread(range) ? "first thread's TLS" : "dynamic loader",
                       .evidence = "what ld.so made before there was a C library"});
}

/// In order of address.
std::vector<HeapPart> all_parts(const TargetMemory& memory, std::vector<HeapPart> glibc, Others others,
                                std::vector<HeapShortfall>& shortfalls) {
  std::vector<HeapPart> parts = std::move(glibc);
  parts.insert(parts.end(), std::make_move_iterator(others.parts.begin()), std::make_move_iterator(others.parts.end()));
  shortfalls.insert(shortfalls.end(), others.shortfalls.begin(), others.shortfalls.end());
  if (parts.empty()) add_musl_bump(others.bump, parts, shortfalls);
  add_loader(memory, others.loader, parts);
  std::sort(parts.begin(), parts.end(),
            [](const HeapPart& a, const HeapPart& b) { return a.range.begin < b.range.begin; });
  return parts;
}

/// Where no heap was found, it may be that nothing that leads to one could be read.
void tell_swapped(Facts& facts, std::vector<HeapShortfall>& shortfalls) {
  std::uint64_t swapped = 0;
  for (const Mapping& mapping : facts.mappings) swapped += facts.pages.count(mapping.range).swapped;
  facts.notes.push_back(
      {"swapped_unread",
       fmt::format("{} K are swapped out and were not read: owners that only they tell were not found (--all-pages "
                   "reads them, which brings them back into RAM)",
                   swapped / 1024)});
  blame_swapped(shortfalls);
  if (facts.heaps.empty())
    shortfalls.push_back({.allocator = {},
                          .figures = HeapShortfall::Figures::Regions,
                          .reason = HeapShortfall::Reason::SwappedOut,
                          .blocks = {},
                          .bytes = {}});
}

}  // namespace

void find_heap_parts(Facts& facts, const MemoryReader& reader, std::uint64_t most_bytes) {
  const TargetMemory memory(facts, reader);
  std::vector<HeapShortfall> shortfalls;
  auto glibc = find_glibc(memory, most_bytes);
  facts.heaps =
      all_parts(memory, glibc_parts(*glibc, memory.page_bytes(), shortfalls), find_others(memory), shortfalls);
  facts.heap_shortfalls = std::move(shortfalls);
  facts.contents_known = !memory.refusal() && any_contents(memory);
  facts.glibc = std::move(glibc);
}

void find_owners(Facts& facts, const MemoryReader& reader, std::uint64_t most_bytes) {
  const TargetMemory memory(facts, reader);
  const bool beside = worth_a_thread(facts) && memory.image_ends_known();
  if (!beside) facts.runtimes = runtime_parts(memory);
  // The search for runtimes and then for glibc's heaps takes as long as that for all others.
  auto others =
      std::async(beside ? beside_if_possible : std::launch::deferred, [&memory] { return find_others(memory); });
  if (beside) facts.runtimes = runtime_parts(memory);
  std::vector<HeapShortfall> shortfalls;
  auto glibc = find_glibc(memory, most_bytes);
  facts.heaps = all_parts(memory, glibc_parts(*glibc, memory.page_bytes(), shortfalls), others.get(), shortfalls);
  if (memory.left_out_swapped()) tell_swapped(facts, shortfalls);
  facts.heap_shortfalls = std::move(shortfalls);
  facts.contents_known = !memory.refusal() && any_contents(memory);
  facts.glibc = std::move(glibc);
  memory.add_note_when_exhausted(facts.notes);
}

}  // namespace vmscan
