// Blocks that malloc mapped on their own (sysmalloc_mmap in malloc/malloc.c): a header at the beginning of a page whose
// only flag says so, and a size that fills whole pages; since 2.43 the last two words of them do not count. A block
// that had to be aligned begins later, and the word before its size says by how much (2.43: and 1 more for a huge
// page). The kernel merges such mappings with each other and with the program's own, so every page is looked at
// (measured with glibc 2.36: following the sizes from where mappings begin finds 187 of 589). Where the search is
// bounded, the order and the bound depend on the addresses alone and not on what is in RAM, so that a process and its
// core have the same blocks: first where mappings begin, then the small ones before the large ones.
#include <algorithm>
#include <utility>

#include "libvmscan/heap/chunk_reader.h"
#include "libvmscan/heap/glibc_walk.h"
#include "libvmscan/heap/page_cache.h"

namespace vmscan {
namespace {

constexpr std::size_t most_blocks = 1 << 22;

class Finder {
 public:
  Finder(const TargetMemory& memory, const GlibcHeaps& found, std::uint64_t most_bytes)
      : memory_(memory), found_(found), layout_(found.layout), bytes_left_(most_bytes) {
    for (const GlibcArena& arena : found.arenas)
      for (const GlibcHeap& heap : arena.heaps) taken_.push_back(heap.reserved);
    for (const ThreadStack& stack : memory.facts().stacks)
      if (!stack.given) taken_.push_back(stack.range);
    for (const RuntimePart& part : memory.facts().runtimes) taken_.push_back(part.range);
  }

  std::vector<GlibcMappedBlock> find() {
    if (found_.mapped && found_.mapped->blocks == 0) return {};
    for (const Range place : places()) follow_from(place);
    settle_form();
    look_at_all(false);
    if (found_.mapped) look_at_all(true);
    settle_form();
    std::sort(blocks_.begin(), blocks_.end(),
              [](const GlibcMappedBlock& a, const GlibcMappedBlock& b) { return a.range.begin < b.range.begin; });
    return std::move(blocks_);
  }

 private:
  bool done() const {
    return blocks_.size() >= most_blocks || (found_.mapped && blocks_.size() >= found_.mapped->blocks) ||
           memory_.refusal();
  }

  /// The size of a block leaves out so many bytes at its end: what most say, first those with which mappings begin.
  void settle_form() {
    const auto short_ones = static_cast<std::size_t>(
        std::count_if(blocks_.begin(), blocks_.end(), [](const GlibcMappedBlock& each) { return each.left_out != 0; }));
    if (2 * short_ones == blocks_.size()) return;  // none, or nobody knows
    left_out_ = 2 * short_ones > blocks_.size() ? layout_.header() : 0;
    std::erase_if(blocks_, [&](const GlibcMappedBlock& each) { return each.left_out != *left_out_; });
  }

  /// What nobody has taken of private anonymous memory, small ones first.
  std::vector<Range> places() {
    for (const GlibcMappedBlock& block : blocks_) taken_.push_back(block.range);
    taken_ = joined(std::move(taken_));
    std::vector<Range> places;
    for (const Mapping& mapping : memory_.facts().mappings) {
      if (!mapping.read || !mapping.write || mapping.shared || mapping.inode != 0 || !mapping.path.empty()) continue;
      Range rest = mapping.range;
      auto taken =
          std::partition_point(taken_.begin(), taken_.end(), [&](Range each) { return each.end <= rest.begin; });
      for (; taken != taken_.end() && taken->begin < rest.end; ++taken) {
        if (taken->begin > rest.begin) places.push_back({rest.begin, taken->begin});
        rest.begin = std::max(rest.begin, taken->end);
      }
      if (rest.begin < rest.end) places.push_back(rest);
    }
    std::stable_sort(places.begin(), places.end(), [](Range a, Range b) { return a.size() < b.size(); });
    return places;
  }

  /// The blocks at the beginning of `place`, one behind the other.
  void follow_from(Range place) {
    for (Address at = place.begin; at != 0 && at < place.end && !done();) {
      const Range first{at, at + memory_.page_bytes()};
      if (memory_.readable(first).empty()) return;
      ChunkReader reader(memory_, first);
      at = block_in_page(reader, place, at, false);
    }
  }

  void look_at_all(bool anywhere_in_page) {
    if (done()) return;
    for (const Range place : places()) {
      if (done()) return;
      const Range range{place.begin, place.begin + std::min(place.size(), bytes_left_)};
      bytes_left_ -= range.size();
      look_at(place, range, anywhere_in_page);
    }
  }

  void look_at(Range place, Range range, bool anywhere_in_page) {
    ChunkReader reader(memory_, range);
    Address next = range.begin;
    for (const Range& run : memory_.readable(range))
      for (Address at = std::max(run.begin, next); at < run.end && !done(); at = next) {
        const Address end = block_in_page(reader, place, at, anywhere_in_page);
        next = end != 0 ? end : at + memory_.page_bytes();
      }
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
    if (!blocks_.empty() && blocks_.back().range.overlaps(block)) return 0;
    blocks_.push_back({block, chunk, left_out});
    return block.end;
  }

  const TargetMemory& memory_;
  const GlibcHeaps& found_;
  const GlibcLayout& layout_;
  std::uint64_t bytes_left_;
  std::optional<std::uint64_t> left_out_;  // of GlibcMappedBlock; unset: either
  std::vector<Range> taken_;
  std::vector<GlibcMappedBlock> blocks_;
};

}  // namespace

std::vector<GlibcMappedBlock> find_glibc_mapped(const TargetMemory& memory, const GlibcHeaps& found,
                                                std::uint64_t most_bytes) {
  return Finder(memory, found, most_bytes).find();
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
