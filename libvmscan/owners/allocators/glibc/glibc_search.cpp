// Blocks that malloc mapped on their own (sysmalloc_mmap in malloc/malloc.c): a header at the beginning of a page whose
// only flag says so, and a size that fills whole pages; since 2.43 the last two words of them do not count. A block
// that had to be aligned begins later, and the word before its size says by how much (2.43: and 1 more for a huge
// page). Pieces of the main arena (sysmalloc_mmap_fallback): chunks from the beginning of a page on; the last two, of
// two words each, end where a page ends, or it is the top. The kernel merges such mappings with each other and with the
// program's own, and splits them where the program asks for other rights, locks or advises part of them: mappings that
// touch are one place, and every page of it is looked at (measured with glibc 2.36: following the sizes from where
// mappings begin finds 187 of 589). malloc's own counts tell when all is found. First come the beginnings of mappings,
// then the small places before the large ones.
#include "libvmscan/owners/allocators/glibc/glibc_search.h"

#include <algorithm>
#include <array>
#include <utility>

#include "libvmscan/memory/chunk_reader.h"
#include "libvmscan/memory/page_cache.h"
#include "libvmscan/owners/allocators/glibc/glibc_places.h"

namespace vmscan {
namespace {

constexpr std::size_t most_blocks = 1 << 22;
constexpr std::size_t chunks_to_believe = 8;
constexpr std::size_t most_pieces = 1 << 20;

using Clock = std::chrono::steady_clock;

/// Follows the chunks of one piece of the main arena.
class PieceWalk {
 public:
  PieceWalk(const TargetMemory& memory, const GlibcHeaps& found, Address limit)
      : memory_(memory), layout_(found.layout), top_(found.arenas.front().top), limit_(limit) {}

  Address end(Address chunk, std::uint64_t likely_size) const {
    if (!begins(chunk)) return 0;
    const Address page = chunk / memory_.page_bytes() * memory_.page_bytes();
    const bool top_inside = top_ >= page && top_ - page < likely_size;
    if (likely_size != 0 && !top_inside && limit_ - page >= likely_size && is_end(page + likely_size))
      return page + likely_size;
    return follow(chunk);
  }

 private:
  std::optional<std::uint64_t> size_word(Address chunk) const { return memory_.word(chunk + layout_.word); }

  /// Enough chunks of the main arena in a row, all before the limit.
  bool begins(Address chunk) const {
    for (std::size_t i = 0; i < chunks_to_believe; ++i) {
      const auto value = size_word(chunk);
      if (!value || (i == 0 && (*value & chunk_flag::all) != chunk_flag::previous_in_use)) return false;
      const std::uint64_t size = *value & ~chunk_flag::all;
      if (chunk == top_ || size == layout_.header()) return i > 0 || chunk == top_;  // follow() looks closer
      if (!possible(*value, chunk)) return false;
      chunk += size;
    }
    return true;
  }

  bool possible(std::uint64_t value, Address chunk) const {
    const std::uint64_t size = value & ~chunk_flag::all;
    return layout_.possible_size(size) && size < limit_ - chunk &&
           (value & (chunk_flag::mapped | chunk_flag::other_arena)) == 0;
  }

  Address follow(Address chunk) const {
    ChunkReader reader(memory_, {chunk, limit_});
    const std::size_t header = layout_.header();
    while (chunk < limit_) {
      const std::byte* bytes = reader.at(chunk, header);
      if (bytes == nullptr) return 0;
      const std::uint64_t value = memory_.word_at({bytes, header}, layout_.word), size = value & ~chunk_flag::all;
      if (chunk == top_) return size <= limit_ - chunk && (chunk + size) % memory_.page_bytes() == 0 ? chunk + size : 0;
      if (size == header) {  // what is too small for a block may stand before the two
        const Address end = round_up(chunk + 2 * header);
        return end - chunk <= 2 * header + layout_.alignment && is_end(end) ? end : 0;
      }
      if (!possible(value, chunk)) return 0;
      chunk += size;
    }
    return 0;
  }

  Address round_up(Address address) const {
    const std::uint64_t page = memory_.page_bytes();
    return (address + page - 1) / page * page;
  }

  /// Two chunks of two words each, of which the first alone may tell that the one before it is free.
  bool is_end(Address end) const {
    const std::size_t header = layout_.header();
    Address fence = end - 2 * header;
    while (!layout_.aligned(fence)) --fence;
    const std::uint64_t size = header | chunk_flag::previous_in_use;
    return end <= limit_ && (size_word(fence).value_or(0) | chunk_flag::previous_in_use) == size &&
           size_word(fence + header).value_or(0) == size;
  }

  const TargetMemory& memory_;
  const GlibcLayout& layout_;
  Address top_, limit_;
};

class Search {
 public:
  Search(const TargetMemory& memory, GlibcHeaps& found, const GlibcSearchLimits& limits)
      : memory_(memory),
        found_(found),
        layout_(found.layout),
        main_(found.arenas.front()),
        bytes_left_(limits.bytes),
        until_(Clock::now() + limits.time) {
    for (const GlibcArena& arena : found.arenas)
      for (const GlibcHeap& heap : arena.heaps) taken_.push_back(heap.reserved);
    for (const ThreadStack& stack : memory.facts().stacks)
      if (!stack.given) taken_.push_back(stack.range);
    for (const RuntimePart& part : memory.facts().runtimes) taken_.push_back(part.range);
    const std::uint64_t size = main_.found_bytes();
    missing_ = std::max(main_.system_bytes.value_or(size), size) - size;
  }

  void run() {
    for (const Range place : done() ? std::vector<Range>() : places()) follow_mappings(place);
    settle_form();
    look_at_all(false);
    if (found_.mapped) look_at_all(true);
    settle_form();
    const auto by_address = [](const auto& a, const auto& b) { return a.range.begin < b.range.begin; };
    std::sort(blocks_.begin(), blocks_.end(), by_address);
    std::sort(main_.heaps.begin(), main_.heaps.end(), by_address);
    found_.blocks = std::move(blocks_);
  }

 private:
  /// Both counts: a block that was freed since malloc's were read may stand for one that is not found yet.
  bool all_found() const {
    const bool blocks =
        found_.mapped && blocks_.size() >= found_.mapped->blocks && found_bytes_ >= found_.mapped->bytes;
    return blocks && (missing_ == 0 || main_.heaps.size() >= most_pieces);
  }
  bool late() {
    if (!late_ && (found_.mapped || missing_ > 0) && ++looks_ % 64 == 0) late_ = Clock::now() > until_;
    return late_;
  }
  bool done() { return all_found() || late() || blocks_.size() >= most_blocks || memory_.refusal(); }

  /// The size of a block leaves out so many bytes at its end: what most say, first those with which mappings begin.
  void settle_form() {
    const auto short_ones = static_cast<std::size_t>(
        std::count_if(blocks_.begin(), blocks_.end(), [](const GlibcMappedBlock& each) { return each.left_out != 0; }));
    if (2 * short_ones == blocks_.size()) return;  // none, or nobody knows
    left_out_ = 2 * short_ones > blocks_.size() ? layout_.header() : 0;
    std::erase_if(blocks_, [&](const GlibcMappedBlock& each) { return each.left_out != *left_out_; });
    found_bytes_ = 0;
    for (const GlibcMappedBlock& block : blocks_) found_bytes_ += block.range.size();
  }

  static bool may_be_mallocs(const Mapping& mapping) {
    return !mapping.shared && mapping.inode == 0 && (mapping.path.empty() || mapping.path.starts_with("[anon:"));
  }

  /// What nobody has taken of private anonymous memory, small ones first, but before all that with the top.
  std::vector<Range> places() {
    for (const GlibcMappedBlock& block : blocks_) taken_.push_back(block.range);
    for (const GlibcHeap& heap : main_.heaps) taken_.push_back(heap.reserved);
    taken_ = joined(std::move(taken_));
    std::vector<Range> places;
    for (Range rest : together()) {
      auto taken =
          std::partition_point(taken_.begin(), taken_.end(), [&](Range each) { return each.end <= rest.begin; });
      for (; taken != taken_.end() && taken->begin < rest.end; ++taken) {
        if (taken->begin > rest.begin) places.push_back({rest.begin, taken->begin});
        rest.begin = std::max(rest.begin, taken->end);
      }
      if (rest.begin < rest.end) places.push_back(rest);
    }
    const auto order = [&](Range range) {
      return missing_ > 0 && range.contains(main_.top) ? std::uint64_t{0} : range.size();
    };
    std::stable_sort(places.begin(), places.end(), [&](Range a, Range b) { return order(a) < order(b); });
    return places;
  }

  /// Mappings that touch, whatever their rights.
  std::vector<Range> together() const {
    std::vector<Range> runs;
    for (const Mapping& mapping : memory_.mappings()) {
      if (!may_be_mallocs(mapping)) continue;
      if (!runs.empty() && runs.back().end == mapping.range.begin)
        runs.back().end = mapping.range.end;
      else
        runs.push_back(mapping.range);
    }
    return runs;
  }

  /// What lies at the beginnings of the mappings in `place`, one behind the other.
  void follow_mappings(Range place) {
    for (Address at = place.begin; at < place.end && !done();) {
      const Mapping* mapping = memory_.mapping_of(at);
      if (mapping == nullptr) return;
      const Address behind = follow_from(place, at);
      at = behind > at ? behind : mapping->range.end;
    }
  }

  Address follow_from(Range place, Address at) {
    while (at < place.end && !done()) {
      const Range first{at, std::min(at + memory_.page_bytes(), place.end)};
      if (memory_.readable(first).empty()) return at;
      ChunkReader reader(memory_, first);
      const Address end = thing_in_page(reader, place, at, false);
      if (end == 0) return at;
      at = end;
    }
    return at;
  }

  void look_at_all(bool anywhere_in_page) {
    if (done()) return;
    found_.not_searched = 0;
    for (const Range place : places()) {
      if (all_found()) return;
      look_at(place, anywhere_in_page);
    }
  }

  void look_at(Range place, bool anywhere_in_page) {
    ChunkReader reader(memory_, place);
    Address next = place.begin;
    for (Range run : memory_.readable(place)) {
      const Address whole = run.end;
      if (!found_.mapped && missing_ == 0) {
        run.end = run.begin + std::min(run.size(), bytes_left_);
        bytes_left_ -= run.size();
      }
      Address at = std::max(run.begin, next);
      for (; at < run.end && !done(); at = next) {
        const Address end = thing_in_page(reader, place, at, anywhere_in_page);
        next = end != 0 ? end : at + memory_.page_bytes();
      }
      if (at < whole && !all_found()) found_.not_searched += whole - at;
    }
  }

  /// Where what is malloc's and begins in this page ends; 0 when nothing does.
  Address thing_in_page(ChunkReader& reader, Range place, Address at, bool anywhere) {
    if (missing_ > 0 && !anywhere)
      if (const Address end = piece_at(place, at)) return end;
    return block_in_page(reader, place, at, anywhere);
  }

  Address piece_at(Range place, Address at) {
    Address chunk = at;
    while (!layout_.aligned(chunk)) chunk += layout_.word;
    const PieceWalk walk(memory_, found_, place.end);
    Address end = walk.end(chunk, std::min(piece_bytes_, missing_));
    if (end == 0 || end - at > missing_) return 0;
    main_.heaps.push_back({.range = {at, end}, .first_chunk = chunk, .reserved = {at, end}});
    missing_ -= end - at;
    piece_bytes_ = end - at;
    return end;
  }

  /// Where a block that begins in this page ends; 0 when none does.
  Address block_in_page(ChunkReader& reader, Range place, Address at, bool anywhere) {
    const std::uint64_t page = memory_.page_bytes();
    const std::size_t header = layout_.header();
    // At its beginning, or where a block that is aligned to whole pages has its header.
    for (std::uint64_t offset = layout_.aligned(at) ? 0 : layout_.alignment - header; offset + header <= page;
         offset = anywhere || offset == page - header ? offset + layout_.alignment : page - header) {
      const std::byte* bytes = reader.at(at + offset, header);
      if (bytes == nullptr) return 0;
      const std::uint64_t before = memory_.word_at({bytes, header}, 0),
                          value = memory_.word_at({bytes, header}, layout_.word);
      if ((value & chunk_flag::all) != chunk_flag::mapped) continue;
      if (const Address end = accept(place, at + offset, before, value & ~chunk_flag::all)) return end;
    }
    return 0;
  }

  Address accept(Range place, Address chunk, std::uint64_t before, std::uint64_t size) {
    for (const std::uint64_t left_out : {std::uint64_t{0}, std::uint64_t{layout_.header()}})
      if (left_out_.value_or(left_out) == left_out)
        if (const Address end = accept(place, chunk, before, size, left_out)) return end;
    return 0;
  }

  Address accept(Range place, Address chunk, std::uint64_t before, std::uint64_t size, std::uint64_t left_out) {
    const std::uint64_t page = memory_.page_bytes();
    if (left_out != 0) before &= ~std::uint64_t{1};
    if (before > chunk - place.begin || size < layout_.least_chunk() || size > place.end - chunk ||
        left_out > place.end - chunk - size)
      return 0;
    const Range block{chunk - before, chunk + size + left_out};
    if (block.begin % page != 0 || block.end % page != 0) return 0;
    if (found_.mapped && block.size() > found_.mapped->bytes) return 0;
    if (!blocks_.empty() && blocks_.back().range.overlaps(block)) return 0;
    blocks_.push_back({block, chunk, left_out});
    found_bytes_ += block.size();
    return block.end;
  }

  const TargetMemory& memory_;
  GlibcHeaps& found_;
  const GlibcLayout& layout_;
  GlibcArena& main_;
  std::uint64_t missing_ = 0;            // bytes of the main arena
  std::uint64_t piece_bytes_ = 1 << 20;  // as many as the last one had; at first MMAP_AS_MORECORE_SIZE
  std::uint64_t bytes_left_;
  Clock::time_point until_;
  bool late_ = false;
  std::size_t looks_ = 0;
  std::optional<std::uint64_t> left_out_;  // of GlibcMappedBlock; unset: either
  std::vector<Range> taken_;
  std::vector<GlibcMappedBlock> blocks_;
  std::uint64_t found_bytes_ = 0;  // in these
};

/// What changes while it is looked at is believed only as far as it stands afterwards.
void read_counts_again(const TargetMemory& memory, GlibcHeaps& found) {
  const auto again = found.counters == 0 ? std::nullopt : read_glibc_counters(memory, found.counters);
  if (again && found.mapped)
    found.mapped = {std::min(found.mapped->blocks, again->blocks), std::min(found.mapped->bytes, again->bytes)};
  for (GlibcArena& arena : found.arenas)
    if (const auto now = memory.word(arena.address + found.layout.system); now && arena.system_bytes)
      arena.system_bytes = std::min(*arena.system_bytes, *now);
}

}  // namespace

Address end_of_glibc_piece(const TargetMemory& memory, const GlibcHeaps& found, Address chunk, Address limit) {
  return chunk == 0
             ? 0
             : PieceWalk(memory, found, limit).end(chunk, limit - chunk / memory.page_bytes() * memory.page_bytes());
}

GlibcHeaps find_glibc_heaps(const TargetMemory& memory, const GlibcSearchLimits& limits) {
  GlibcHeaps found = find_glibc_arenas(memory);
  if (found.arenas.empty() || limits.bytes == 0) return found;
  Search(memory, found, limits).run();
  found.searched = true;
  if (memory.facts().target.kind == TargetKind::Process) read_counts_again(memory, found);
  return found;
}

GlibcHeaps known_glibc_heaps(const TargetMemory& memory) {
  const auto& known = memory.facts().glibc;
  if (!known) return find_glibc_heaps(memory, {});
  GlibcHeaps found = *known;
  for (GlibcArena& arena : found.arenas)  // a program that runs takes from its top all the time
    arena.top = memory.word(arena.address + found.layout.top).value_or(arena.top);
  return found;
}

/// A block that had to be aligned keeps the header that it had before, at its beginning; the one in use stands before
/// the first address that is aligned (_int_memalign).
Address chunk_in_use(const TargetMemory& memory, const GlibcLayout& layout, const GlibcMappedBlock& block) {
  const std::size_t header = layout.header();
  std::vector<std::byte> bytes(header);
  Address tried = 0;
  for (std::uint64_t alignment = 2 * layout.alignment; alignment < block.range.size(); alignment *= 2) {
    Address address = (block.chunk + header + alignment - 1) / alignment * alignment;
    if (address != block.chunk + header && address - header - block.chunk < layout.least_chunk()) address += alignment;
    if (address == block.chunk + header || address >= block.range.end) continue;
    const Address candidate = address - header;
    if (candidate == std::exchange(tried, candidate)) continue;
    const Range place{candidate, address};
    if (memory.readable(place) != std::vector{place} || memory.read(candidate, bytes) != header) continue;
    const std::uint64_t huge = block.left_out != 0 ? 1 : 0;
    if ((memory.word_at(bytes, 0) & ~huge) == candidate - block.range.begin &&
        memory.word_at(bytes, layout.word) == ((block.range.end - candidate - block.left_out) | chunk_flag::mapped))
      return candidate;
  }
  return block.chunk;
}

}  // namespace vmscan
