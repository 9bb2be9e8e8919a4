#include "libvmscan/owners/allocators/glibc/glibc_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "libvmscan/memory/chunk_reader.h"
#include "libvmscan/owners/allocators/residency.h"

namespace vmscan {
namespace {

constexpr std::size_t chunks_to_believe = 8;        // in a row, before a chain is picked up again behind a broken place
constexpr std::uint64_t most_cached_chunk = 0x420;  // of thread caches (2.26 to 2.41) and fast bins

class StretchWalker {
 public:
  StretchWalker(const GlibcWalk& walk, const HeapStretch& stretch, WalkedStretch& result)
      : walk_(walk),
        layout_(walk.found.layout),
        arena_(walk.found.arenas[stretch.arena]),
        heap_(arena_.heaps[stretch.heap]),
        stretch_(stretch),
        result_(result),
        found_(result.findings),
        totals_(found_.totals),
        resident_(walk.memory.facts(), totals_.residency),
        end_(heap_.range.end),
        far_looks_(sure() ? 1 << 18 : 1 << 14) {
    read_from(stretch.range.begin, stretch.range.end);
  }

  void run() {
    result_.begin = stretch_.first != 0 ? stretch_.first : pick_up(stretch_.range.begin);
    if (at_beginning()) take_head();
    result_.links.begin_stretch({result_.begin == 0 ? end_ : result_.begin, end_});
    result_.end = result_.begin == 0 ? end_ : follow_all(result_.begin);
    result_.links.end_stretch(result_.end);
  }

 private:
  bool at_beginning() const { return stretch_.range.begin == heap_.range.begin; }
  /// Whether the chain is the heap's, and not one that only seems to be.
  bool sure() const { return at_beginning() || stretch_.first != 0; }

  /// Other stretches are read at the same time: nothing is read ahead.
  void read_from(Address begin, Address near) {
    reader_.emplace(walk_.memory, Range{begin, end_}, near, ChunkReader::Ahead::No);
  }

  void take_head() {
    const Range head{heap_.range.begin, result_.begin == 0 ? end_ : result_.begin};
    heap_.first_chunk == 0 ? add_unread(head) : add_overhead(head);
  }

  /// Returns where the next stretch goes on.
  Address follow_all(Address at) {
    while (at != 0 && at < end_) {
      const Address stop = follow(at);
      if (stop == end_ || at_border_) return stop;
      if (!sure()) {
        result_.broken = true;
        return stop;
      }
      const bool swapped = walk_.memory.swapped_out({stop, stop + 2 * layout_.word});
      // Whether the block before is in use stands in the header that is swapped out.
      const Address from = swapped && pending_ != 0 ? std::exchange(pending_, 0) : stop;
      settle(true);
      at = pick_up(at_fence_ ? stop : stop + layout_.alignment);
      add_unread({from, at == 0 ? end_ : at});
      if (!at_fence_ && !swapped) blame(stop, at);
    }
    return end_;
  }

  void add_overhead(Range range) {
    totals_.overhead += range.size();
    resident_.add(range, &PartBytes::overhead);
  }
  void add_unread(Range range) {
    totals_.unread += range.size();
    resident_.add(range, &PartBytes::unread);
  }

  /// Follows the chain from `at`; returns where it leaves the stretch or breaks, or the end of the heap.
  Address follow(Address at) {
    const std::size_t word = layout_.word;
    at_fence_ = at_border_ = false;
    while (at < end_) {
      const std::byte* header = sure() ? reader_->at_touched_since(at, 2 * word) : header_in_ram(at);
      if (header == nullptr) return at;
      reader_->hurry(at);
      const std::uint64_t value = walk_.memory.word_at({header, 2 * word}, word);
      const std::uint64_t size = value & ~chunk_flag::all;
      // What ends the heap is its top, even when that has moved meanwhile. It fills pages, whatever its own alignment.
      if ((at == arena_.top && size <= end_ - at) || (size == end_ - at && size >= layout_.least_chunk())) {
        settle((value & chunk_flag::previous_in_use) != 0);
        take_top(at, size);
        return end_;
      }
      if (heap_.cut && size > end_ - at) return leave_rest(at);
      if (!layout_.possible_size(size) || size > end_ - at) return end_of_chain(at, value);
      settle((value & chunk_flag::previous_in_use) != 0);
      at_border_ = at >= stretch_.range.end;
      if (at_border_) return at;
      pending_ = at;
      pending_size_ = size;
      pending_first_ = first_word(at, size);
      pending_cache_ = guess_cache(at, size);
      at += size;
    }
    return end_;
  }

  /// The chain leads beyond what the map knew of a heap that grows.
  Address leave_rest(Address at) {
    settle(true);
    add_unread({at, end_});
    found_.notes.push_back({"heap_grew", fmt::format("{} grew while it was read: its last {} bytes are unread",
                                                     name_of(arena_), end_ - at)});
    return end_;
  }

  void take_top(Address at, std::uint64_t size) {
    totals_.top += size;
    totals_.free.add(size);
    totals_.largest_free = std::max(totals_.largest_free, size);
    resident_.add({at, at + size}, &PartBytes::free);
    add_overhead({at + size, end_});
  }

  /// A heap that is full ends in small chunks that nobody can get; so does the brk heap where another user of brk
  /// begins, in two of them.
  Address end_of_chain(Address at, std::uint64_t value) {
    const std::uint64_t size = value & ~chunk_flag::all, fence = 2 * layout_.word;
    const bool near_end = end_ - at <= 4 * fence + layout_.alignment;
    if (near_end ? size != 0 && size != fence : size != fence || !is_fence(at + fence)) return at;
    if (near_end && size == 0 && pending_ != 0 && pending_size_ <= fence + layout_.alignment) {
      add_overhead({pending_, pending_ + pending_size_});  // too little was left for a block: it only fills the heap
      pending_ = 0;
    }
    settle((value & chunk_flag::previous_in_use) != 0);
    if (near_end) {
      add_overhead({at, end_});
      return end_;
    }
    add_overhead({at, at + 2 * fence});
    at_fence_ = true;
    return at + 2 * fence;
  }

  bool is_fence(Address at) {
    const std::size_t word = layout_.word;
    const std::byte* header = reader_->at(at, 2 * word);
    return header != nullptr &&
           walk_.memory.word_at({header, 2 * word}, word) == (2 * word | chunk_flag::previous_in_use);
  }

  /// The first word of what the program has of a chunk; 0 where nobody asks for it, or it is not at hand.
  std::uint64_t first_word(Address at, std::uint64_t size) {
    if (size > most_cached_chunk && !found_.objects) return 0;
    const Address address = at + 2 * layout_.word;
    const std::byte* bytes =
        found_.objects ? reader_->at(address, layout_.word) : reader_->inside(address, layout_.word);
    return bytes == nullptr ? 0 : walk_.memory.word_at({bytes, layout_.word}, 0);
  }

  CacheGuess guess_cache(Address at, std::uint64_t size) const {
    if (size >= 64 * 16 || (walk_.cache_sizes >> size / 16 & 1) == 0) return CacheGuess::None;
    const std::size_t bytes = static_cast<std::size_t>(size) - layout_.word;
    const std::byte* content = reader_->inside(at + layout_.header(), bytes);
    return guess_thread_cache(walk_, size,
                              content == nullptr ? std::span<const std::byte>() : std::span(content, bytes));
  }

  /// Whether the first word of a chunk that a list may hold is a link as safe linking writes them.
  bool possible_link() const {
    const Address next = pending_first_ ^ ((pending_ + 2 * layout_.word) >> 12);
    return pending_first_ != 0 && pending_size_ <= most_cached_chunk &&
           (next == 0 || (walk_.heaps.contains(next) && next % 8 == 0));
  }

  /// Counts the chunk before, now that the next one tells whether it is in use.
  void settle(bool in_use) {
    if (pending_ == 0) return;
    const Range block{pending_, pending_ + pending_size_};
    resident_.add(block, in_use ? &PartBytes::live : &PartBytes::free);
    if (in_use) {
      totals_.live.add(pending_size_);
      if (possible_link()) result_.links.add({pending_, pending_size_, pending_first_});
      if (found_.objects) found_.objects->add(pending_first_, pending_size_);
      if (pending_cache_ != CacheGuess::None) {
        auto& caches = pending_cache_ == CacheGuess::Used ? found_.thread_caches : found_.empty_thread_caches;
        if (caches.size() < most_thread_caches) caches.push_back(pending_);
      }
    } else {
      totals_.free.add(pending_size_);
      totals_.largest_free = std::max(totals_.largest_free, pending_size_);
    }
    const BlockState state = in_use ? BlockState::Live : BlockState::Free;
    found_.sizes.add(pending_size_, state);
    if (wanted()) list(state);
    pending_ = 0;
  }

  bool wanted() const {
    if (walk_.wanted_size != 0) return pending_size_ == walk_.wanted_size;
    const auto& address = walk_.options.list_address;
    return address && *address >= pending_ && *address - pending_ < pending_size_;
  }

  void list(BlockState state) {
    if (found_.blocks.size() >= walk_.options.most_blocks) {
      found_.blocks_complete = false;
      return;
    }
    found_.blocks.push_back(
        {.address = pending_ + layout_.header(), .size = pending_size_, .state = state, .heap = stretch_.arena});
  }

  /// A header where perhaps there is none: only if nothing must be pulled in for it. Null: it is not there.
  const std::byte* header_in_ram(Address at) {
    const std::size_t size = 2 * layout_.word;
    const std::byte* bytes = reader_->inside(at, size);
    return bytes == nullptr && in_ram({at, at + size}) ? reader_->at(at, size) : bytes;
  }
  bool in_ram(Range range) const {
    const std::vector<Range> parts = walk_.memory.readable(range);
    return parts.size() == 1 && parts.front() == range;
  }

  /// The next address from which a chain of several chunks can be followed; 0 when there is none. Where a chain of the
  /// heap is lost, it is sought beyond the stretch, too.
  Address pick_up(Address from) {
    while (from < end_ && !layout_.aligned(from)) ++from;
    const Address end = sure() ? end_ : stretch_.range.end;
    for (Address at = from; at < end;) {
      if (at >= stretch_.range.end && !beyond_) {
        beyond_ = true;
        read_from(at, end_);
      }
      if (leads_on(at)) return at;
      const bool there = reader_->inside(at, layout_.header()) != nullptr;
      const std::uint64_t page = walk_.memory.page_bytes();
      at = there ? at + layout_.alignment : next_readable(at + page - at % page);
      while (!layout_.aligned(at)) ++at;
    }
    return 0;
  }

  /// The first address from there on that may be read; the end of the heap where there is none. A heap may be said to
  /// have terabytes of which a file holds nothing.
  Address next_readable(Address at) {
    if (!readable_) readable_ = walk_.memory.readable({stretch_.range.begin, end_});
    const auto run =
        std::partition_point(readable_->begin(), readable_->end(), [&](const Range& each) { return each.end <= at; });
    return run == readable_->end() ? end_ : std::max(at, run->begin);
  }

  bool leads_on(Address at) {
    const std::size_t word = layout_.word;
    for (std::size_t i = 0; i < chunks_to_believe; ++i) {
      std::uint64_t value = 0;
      const std::byte* header = i == 0 ? header_in_ram(at) : reader_->inside(at, 2 * word);
      if (header != nullptr) {
        value = walk_.memory.word_at({header, 2 * word}, word);
      } else {
        if (i == 0 || far_looks_ == 0 || !in_ram({at, at + 2 * word})) return false;
        --far_looks_;
        value = walk_.memory.word(at + word).value_or(0);
      }
      const std::uint64_t size = value & ~chunk_flag::all;
      if (at == arena_.top && size == end_ - at) return true;
      if (!layout_.possible_size(size) || size > end_ - at || (value & chunk_flag::mapped) != 0) return false;
      at += size;
      if (at == end_) return true;
    }
    return true;
  }

  void blame(Address broken, Address again) {
    ++totals_.broken;
    if (found_.notes.size() >= most_notes) return;
    const std::byte* header = reader_->at(broken, 2 * layout_.word);
    const std::string said =
        header == nullptr
            ? "cannot be read"
            : fmt::format("has the size {:#x}", walk_.memory.word_at({header, 2 * layout_.word}, layout_.word));
    found_.notes.push_back(
        {"heap_broken",
         fmt::format("{}: the block header at {:#x} {}, which cannot be right: {} bytes up to {:#x} are "
                     "unread",
                     name_of(arena_), broken, said, (again == 0 ? end_ : again) - broken, again == 0 ? end_ : again)});
  }

  const GlibcWalk& walk_;
  const GlibcLayout& layout_;
  const GlibcArena& arena_;
  const GlibcHeap& heap_;
  const HeapStretch& stretch_;
  WalkedStretch& result_;
  GlibcFindings& found_;
  HeapTotals& totals_;
  std::optional<ChunkReader> reader_;
  ResidencyCounter resident_;
  std::optional<std::vector<Range>> readable_;  // of what is left of the heap, once it is asked for
  Address end_;                                 // of the heap
  Address pending_ = 0;
  std::uint64_t pending_size_ = 0, pending_first_ = 0;
  CacheGuess pending_cache_ = CacheGuess::None;
  bool at_fence_ = false, at_border_ = false, beyond_ = false;
  std::size_t far_looks_;  // reads outside the window while a chain is sought: hostile sizes lead anywhere
};

}  // namespace

WalkedStretch walk_stretch(const GlibcWalk& walk, const HeapStretch& stretch) {
  WalkedStretch result{.findings = walk.nothing};
  StretchWalker(walk, stretch, result).run();
  return result;
}

}  // namespace vmscan
