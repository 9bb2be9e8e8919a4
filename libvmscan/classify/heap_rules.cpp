// Heaps of the C library, by what the mappings alone show.
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/classify/claiming.h"

namespace vmscan {
namespace {

// malloc/arena.c of glibc: HEAP_MAX_SIZE is 64 MiB on 64-bit and 1 MiB on 32-bit systems; heaps are aligned to it,
// grow from their beginning, and begin with HEAP_MIN_SIZE of at least 132 KiB of memory in the first one.
constexpr std::uint64_t heap_max_64 = std::uint64_t{64} << 20;
constexpr std::uint64_t heap_max_32 = std::uint64_t{1} << 20;
constexpr std::uint64_t least_used = 132 << 10;

// mm/util.c and arch/x86/kernel/process.c, arch_randomize_brk(): how far behind the executable the heap may start.
constexpr std::uint64_t brk_distance_64 = std::uint64_t{1} << 30;
constexpr std::uint64_t brk_distance_32 = std::uint64_t{32} << 20;

bool plain_read_write(const Pieces& pieces, const Piece& piece) {
  const Mapping& mapping = pieces.mapping(piece);
  return pieces.free(piece) && pieces.nameless(piece) && !piece.guard && mapping.read && mapping.write &&
         !mapping.execute;
}

bool reserved(const Pieces& pieces, const Piece& piece) {
  return pieces.free(piece) && pieces.nameless(piece) && !pieces.accessible(piece) && !piece.guard;
}

void claim_parts(Pieces& pieces, const Rule& rule, HeapPart::Kind kind) {
  const bool glibc = kind == HeapPart::Kind::Arena || kind == HeapPart::Kind::Block;
  const auto mine = [&](const Piece& piece) {
    return pieces.free(piece) && pieces.anonymous(piece) &&
           (pieces.nameless(piece) || pieces.mapping(piece).path == "[heap]" ||
            (glibc && pieces.mapping(piece).path.starts_with("[anon:")));  // a name that the program gave it
  };
  for (const HeapPart& part : pieces.facts.heaps) {
    if (part.kind != kind) continue;
    const Range range = nearest_pages(part.range, pieces.facts.target.page_size);
    std::size_t begin = pieces.find(range.begin);
    while (begin < pieces.pieces.size() && range.contains(pieces.pieces[begin].range)) {
      std::size_t end = begin;
      for (; end < pieces.pieces.size() && range.contains(pieces.pieces[end].range) && mine(pieces.pieces[end]) &&
             (end == begin || pieces.touches_next(end - 1));
           ++end) {
      }
      // What may not be touched in the middle is part of a block whose rights the program changed.
      for (std::size_t tail = end; tail > begin && !pieces.accessible(pieces.pieces[tail - 1]); --tail)
        if (kind != HeapPart::Kind::Block) pieces.pieces[tail - 1].details = "reserved tail";
      if (end > begin) claim_group(pieces, rule, begin, end, part.details, part.evidence);
      begin = std::max(end, begin + 1);
    }
  }
}

}  // namespace

void claim_arenas(Pieces& pieces, const Rule& rule) { claim_parts(pieces, rule, HeapPart::Kind::Arena); }
void claim_mapped_blocks(Pieces& pieces, const Rule& rule) { claim_parts(pieces, rule, HeapPart::Kind::Block); }
void claim_allocators(Pieces& pieces, const Rule& rule) { claim_parts(pieces, rule, HeapPart::Kind::Allocator); }
void claim_loader_data(Pieces& pieces, const Rule& rule) { claim_parts(pieces, rule, HeapPart::Kind::Loader); }

void claim_brk_heap(Pieces& pieces, const Rule& rule) {
  const auto same_name = [&](const Piece& a, const Piece& b) {
    return pieces.mapping(a).path == pieces.mapping(b).path;
  };
  for_each_unclaimed_group(pieces, same_name, [&](std::size_t begin, std::size_t end) {
    if (pieces.mapping(pieces.pieces[begin]).path == "[heap]")
      claim_group(pieces, rule, begin, end, "brk heap", "[heap]");
  });
}

void claim_brk_place(Pieces& pieces, const Rule& rule) {
  const Facts& facts = pieces.facts;
  const auto entry = facts.entry_point;
  const auto load = std::find_if(pieces.loads.begin(), pieces.loads.end(),
                                 [&](const ImageLoad& each) { return entry && each.span.contains(*entry); });
  if (load == pieces.loads.end()) return;
  const bool narrow = facts.target.pointer_bits == 32U;
  const Address end = load->span.end;
  const auto first = std::partition_point(pieces.pieces.begin(), pieces.pieces.end(),
                                          [&](const Piece& piece) { return piece.range.begin < end; });
  const auto begin = static_cast<std::size_t>(first - pieces.pieces.begin());
  if (first == pieces.pieces.end() || !plain_read_write(pieces, *first) ||
      first->range.begin - end > (narrow ? brk_distance_32 : brk_distance_64))
    return;
  // Where the bytes are known, they must say that a part of it is malloc's: a program may map something there.
  const Range whole = pieces.mapping(*first).range;
  if (facts.contents_known && std::ranges::none_of(facts.heaps, [&](const HeapPart& part) {
        return part.range.overlaps(whole) &&
               (part.kind == HeapPart::Kind::Arena || part.kind == HeapPart::Kind::Allocator);
      }))
    return;
  std::size_t behind = begin + 1;
  while (pieces.touches_next(behind - 1) && pieces.free(pieces.pieces[behind]) &&
         pieces.nameless(pieces.pieces[behind]))
    ++behind;
  claim_group(
      pieces, rule, begin, behind, "brk heap",
      fmt::format("the first mapping behind the executable, {} bytes behind its .bss", first->range.begin - end));
}

void claim_arena_shape(Pieces& pieces, const Rule& rule) {
  if (pieces.facts.contents_known || !has_glibc(pieces.facts)) return;
  const std::uint64_t size = pieces.facts.target.pointer_bits == 32U ? heap_max_32 : heap_max_64;
  for (std::size_t i = 0; i + 1 < pieces.pieces.size(); ++i) {
    const Piece &used = pieces.pieces[i], &tail = pieces.pieces[i + 1];
    const bool placed =
        used.range.begin % size == 0 && used.range.size() >= least_used && !go_heap.contains(used.range.begin);
    const bool whole = pieces.touches_next(i) && tail.range.end - used.range.begin == size;
    if (!placed || !whole || !plain_read_write(pieces, used) || !reserved(pieces, tail)) continue;
    pieces.pieces[i + 1].details = "reserved tail";
    claim_group(pieces, rule, i, i + 2, "arena",
                fmt::format("aligned to {} MiB, {} MiB with its tail", size >> 20, size >> 20));
  }
}

}  // namespace vmscan
