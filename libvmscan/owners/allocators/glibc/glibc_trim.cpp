// What malloc_trim(0) would give back (mtrim() and systrim() in malloc/malloc.c): it first joins what is in the fast
// bins with the free blocks beside them, then gives back the whole pages within each free block, and the end of the brk
// heap. What it leaves are free bytes in pages that blocks in use share. Blocks in thread caches are in use here.
// Of huge pages it is noted how much of them is free: where most is, they are big and not used.
#include <algorithm>

#include "libvmscan/memory/chunk_reader.h"
#include "libvmscan/owners/allocators/glibc/glibc_walk.h"

namespace vmscan {
namespace {

class TrimPass {
 public:
  TrimPass(const GlibcWalk& walk, const GlibcArena& arena, const GlibcHeap& heap, HeapResidency& residency)
      : memory_(walk.memory),
        pages_(walk.memory.facts().pages),
        huge_(walk.memory.facts().huge_pages ? &*walk.memory.facts().huge_pages : nullptr),
        layout_(walk.found.layout),
        arena_(arena),
        heap_(heap),
        residency_(residency),
        fast_(std::lower_bound(walk.fast_chunks.begin(), walk.fast_chunks.end(), heap.range.begin)),
        fast_end_(walk.fast_chunks.end()),
        page_size_(walk.memory.page_bytes()) {}

  /// Follows the chain of blocks to its end, or to where it is broken.
  void run() {
    ChunkReader reader(memory_, heap_.range);
    const Address end = heap_.range.end;
    Address before = 0;
    for (Address at = heap_.first_chunk; at != 0 && at < end;) {
      const std::byte* header = reader.at_touched_since(at, layout_.header());
      if (header == nullptr) break;
      const std::uint64_t value = memory_.word_at({header, layout_.header()}, layout_.word);
      const std::uint64_t size = value & ~chunk_flag::all;
      if (before != 0) add({before, at}, (value & chunk_flag::previous_in_use) != 0);
      if (size > end - at) break;
      if (at == arena_.top || size == end - at) return add_top({at, at + size});
      if (!layout_.possible_size(size)) break;
      before = at;
      at += size;
    }
    end_run();
    finish();
  }

 private:
  void add(Range chunk, bool in_use) {
    while (fast_ != fast_end_ && *fast_ < chunk.begin) ++fast_;
    if (fast_ != fast_end_ && *fast_ == chunk.begin) in_use = false;
    if (in_use) end_run();
    if (!in_use && run_.empty()) run_.begin = chunk.begin;
    if (!in_use) run_.end = chunk.end;
    share_pages(chunk, in_use);
  }

  void finish() {
    enter_page(0);
    leave_huge_page();
  }

  /// What is joined with the top is given back with it, by the main arena alone.
  void add_top(Range top) {
    if (!run_.empty()) top.begin = run_.begin;
    note_idle(whole_pages(top), arena_.number == 0);
    const std::uint64_t kept = layout_.least_chunk() + 1;
    if (arena_.number == 0)
      give_back({top.end - (top.size() - std::min(top.size(), kept)) / page_size_ * page_size_, top.end});
    finish();
  }

  /// The words at the beginning of a free block, for its lists, stay.
  void end_run() {
    give_back(whole_pages(run_));
    note_idle(whole_pages(run_), true);
    run_ = {};
  }

  Range whole_pages(Range run) const {
    if (run.size() < page_size_) return {};
    return {(run.begin + 6 * layout_.word + page_size_ - 1) / page_size_ * page_size_,
            run.end / page_size_ * page_size_};
  }

  /// `pages` hold no block. In rising order.
  void note_idle(Range pages, bool trimmable) {
    if (huge_ == nullptr || pages.empty()) return;
    auto huge = std::partition_point(huge_->pages.begin(), huge_->pages.end(), [&](Address begin) {
      return begin < pages.begin && pages.begin - begin >= huge_->size;
    });
    for (; huge != huge_->pages.end() && *huge < pages.end; ++huge) {
      if (*huge != huge_page_) leave_huge_page();
      huge_page_ = *huge;
      const std::uint64_t idle = Range::make(*huge, huge_->size).value_or(Range{}).intersect(pages).size();
      idle_in_huge_ += idle;
      trimmable_in_huge_ += trimmable ? idle : 0;
    }
  }

  void leave_huge_page() {
    if (idle_in_huge_ > 0 && idle_in_huge_ >= huge_->size / 2) {
      ++residency_.half_used_pages;
      residency_.half_used_free += idle_in_huge_;
      residency_.half_used_trimmable += trimmable_in_huge_;
    }
    idle_in_huge_ = trimmable_in_huge_ = 0;
  }

  void give_back(Range pages) {
    if (!pages.empty()) residency_.trimmable += pages_.count(pages).in_ram();
  }

  void share_pages(Range chunk, bool in_use) {
    const Address first = page_of(chunk.begin), last = page_of(chunk.end - 1);
    if (first != page_) enter_page(first);
    note(chunk, in_use);
    if (last == first) return;
    const bool counted = enter_page(last);
    note(chunk, in_use);
    first_is_counted_ = in_use && counted;
  }

  void note(Range chunk, bool in_use) {
    if (in_use)
      ++blocks_in_page_;
    else
      free_in_page_ += std::min(chunk.end, page_ + page_size_) - std::max(chunk.begin, page_);
  }

  /// Settles the page before. Returns whether blocks in use keep free bytes of it in RAM.
  bool enter_page(Address page) {
    const bool shared =
        free_in_page_ > 0 && blocks_in_page_ > 0 && pages_.count({page_, page_ + page_size_}).in_ram() > 0;
    if (shared) {
      residency_.shared_free += free_in_page_;
      residency_.sharing_blocks += blocks_in_page_ - (first_is_counted_ ? 1 : 0);
      ++residency_.shared_pages;
    }
    page_ = page;
    free_in_page_ = blocks_in_page_ = 0;
    first_is_counted_ = false;
    return shared;
  }

  Address page_of(Address address) const { return address - address % page_size_; }

  const TargetMemory& memory_;
  const PageRuns& pages_;
  const HugePages* huge_;  // null: not known
  const GlibcLayout& layout_;
  const GlibcArena& arena_;
  const GlibcHeap& heap_;
  HeapResidency& residency_;
  std::vector<Address>::const_iterator fast_, fast_end_;  // those that are still to come
  std::uint64_t page_size_;
  Range run_ = {};    // free blocks that touch
  Address page_ = 0;  // in which the last block ended
  std::uint64_t free_in_page_ = 0, blocks_in_page_ = 0;
  Address huge_page_ = 0;  // in which the last free page lay
  std::uint64_t idle_in_huge_ = 0, trimmable_in_huge_ = 0;
  bool first_is_counted_ = false;  // its first block counted in a page before it
};

}  // namespace

void find_trimmable(GlibcWalk& walk, std::vector<HeapTotals>& heaps) {
  std::sort(walk.fast_chunks.begin(), walk.fast_chunks.end());
  for (std::size_t i = 0; i < walk.found.arenas.size(); ++i)
    for (const GlibcHeap& heap : walk.found.arenas[i].heaps)
      if (auto& residency = heaps[i].residency) TrimPass(walk, walk.found.arenas[i], heap, *residency).run();
}

}  // namespace vmscan
