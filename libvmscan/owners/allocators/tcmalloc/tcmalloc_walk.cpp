#include <algorithm>
#include <unordered_set>

#include "libvmscan/base/range_list.h"
#include "libvmscan/owners/allocators/tcmalloc/tcmalloc.h"

namespace vmscan {
namespace {

constexpr std::uint64_t page_bytes = 8192;
// ThreadCache: 128 lists of 32 bytes, then what differs between versions, with pointers to the next and the previous.
constexpr std::size_t lists = 128, list_bytes = 32, list_length = 8, list_size = 24, tail_bytes = 256;
// CentralFreeList: what threads gave back, in up to 64 chains.
constexpr std::size_t central_bytes = 1216, central_class = 8, chains_offset = 128, chains_used = 1152,
                      most_chains = 64;
constexpr std::uint64_t most_blocks = 0xffff;  // of a span, which counts them in 16 bits
constexpr std::size_t most_caches = 1 << 16;

class Walker {
 public:
  Walker(AllocatorWalk& walk, const TcmallocHeaps& found, bool lists_blocks)
      : walk_(walk), found_(found), cache_(walk.memory()), lists_blocks_(lists_blocks) {}

  void run() {
    const std::size_t heap = walk_.add_heap("tcmalloc"), metadata = walk_.add_heap("tcmalloc metadata");
    if (!found_.sizes.empty()) find_caches();
    for (const TcmallocSpan& span : found_.spans) add_span(heap, span);
    for (std::uint32_t i = 1; i < found_.sizes.size(); ++i) walk_.cache(heap, kind_of(i), cached_[i]);
    walk_.heap(metadata).ranges = found_.metadata;
    walk_.finish(heap, AllocatorWalk::Rest::Overhead);
    if (caches_.empty() && !found_.spans.empty())
      walk_.report().notes.push_back(
          {"heap_caches_unknown", "tcmalloc's thread caches were not found: blocks in them count as live"});
  }

 private:
  SizeClass kind_of(std::uint32_t size_class) const {
    const std::uint32_t size = found_.sizes[size_class];
    return {.size = size, .least_request = found_.sizes[size_class - 1] + 1U, .most_request = size};
  }

  void add_span(std::size_t heap, const TcmallocSpan& span) {
    HeapTotals& totals = walk_.heap(heap);
    totals.ranges.push_back(span.range);
    const std::uint64_t size = span.range.size();
    if (span.state != TcmallocSpan::State::InUse) {
      totals.free.add(size);
      totals.largest_free = std::max(totals.largest_free, size);
      walk_.reside(heap, span.range, &PartBytes::free);
    } else if (span.size_class == 0) {
      const SizeClass kind{.size = size, .least_request = size - page_bytes + 1, .most_request = size};
      walk_.add(heap, kind, BlockState::Live);
      walk_.see(heap, kind, span.range.begin, span.range, BlockState::Live);
      walk_.reside(heap, span.range, &PartBytes::live);
    } else if (span.size_class >= found_.sizes.size() || found_.sizes[span.size_class] > size ||
               size / found_.sizes[span.size_class] > most_blocks) {
      totals.unread += size;
      walk_.reside(heap, span.range, &PartBytes::unread);
      totals.broken += found_.sizes.empty() ? 0 : 1;
    } else {
      const SizeClass kind = kind_of(span.size_class);
      const std::uint64_t blocks = size / kind.size, used = std::min<std::uint64_t>(span.used_blocks, blocks);
      walk_.add(heap, kind, BlockState::Live, used);
      walk_.add(heap, kind, BlockState::Free, blocks - used);
      const BlockRow row{span.range.begin, kind.size, blocks};
      walk_.reside(heap, span.range, {.live = used * kind.size, .free = (blocks - used) * kind.size}, [&] {
        const auto free = free_in(span, blocks);
        walk_.for_each_there(row, [&](std::uint64_t i) {
          const Range block = row.block(i);
          walk_.reside(heap, block, free.contains(block.begin) ? &PartBytes::free : &PartBytes::live);
        });
      });
      if (!walk_.wants(kind, span.range)) return;
      const auto free = free_in(span, blocks);
      walk_.for_each_wanted(kind, row, [&](std::uint64_t i) {
        const Range block = row.block(i);
        walk_.see(heap, kind, block.begin, block,
                  free.contains(block.begin)         ? BlockState::Free
                  : set_aside_.contains(block.begin) ? BlockState::Cached
                                                     : BlockState::Live);
      });
    }
  }

  std::unordered_set<Address> free_in(const TcmallocSpan& span, std::uint64_t blocks) {
    std::unordered_set<Address> free;
    follow(span.first_free, blocks,
           [&](Address block) { return span.range.contains(block) && free.insert(block).second; });
    return free;
  }

  /// Follows a list of blocks whose first word leads to the next.
  template <class See>
  void follow(Address at, std::uint64_t most, See see) {
    for (; at != 0 && most > 0 && see(at); --most) at = cache_.word(at).value_or(0);
  }

  /// Both kinds of caches are found from the data of the image that has the page map.
  void find_caches() {
    const auto all = walk_.memory().image_data([](const TargetMemory&, std::string_view) { return true; });
    const auto data = std::find_if(all.begin(), all.end(), [&](Range each) { return each.contains(found_.root); });
    if (data == all.end()) return;
    bool central = false;
    for_each_piece(walk_.memory(), *data, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
        const std::uint64_t word = walk_.memory().word_at(bytes, i);
        if (word >= page_bytes) add_thread_cache(word);
        // Numbers of size classes at equal distances: 0, 1, 2 …
        if (!central && word == 1 && is_central(at + i - central_bytes - central_class)) {
          central = true;
          read_central(at + i - central_bytes - central_class);
        }
      }
      return true;
    });
  }

  bool is_thread_cache(Address cache) {
    if (cache % 64 != 0 || !walk_.memory().writable(cache)) return false;
    for (std::size_t i = 1; i < found_.sizes.size(); ++i)
      if (cache_.half(cache + i * list_bytes + list_size) != found_.sizes[i]) return false;
    return true;
  }

  void add_thread_cache(Address first) {
    std::vector<Address> next{first};
    while (!next.empty() && caches_.size() < most_caches) {
      const Address cache = next.back();
      next.pop_back();
      if (caches_.contains(cache) || !is_thread_cache(cache)) continue;
      caches_.insert(cache);
      for (std::uint32_t i = 1; i < found_.sizes.size(); ++i) {
        const std::uint64_t length = cache_.half(cache + i * list_bytes + list_length).value_or(0);
        cached_[i] += length;
        if (lists_blocks_) keep(cache_.word(cache + i * list_bytes).value_or(0), length);
      }
      for (std::size_t i = 0; i < tail_bytes; i += 8)
        if (const auto word = cache_.word(cache + lists * list_bytes + i); word && *word >= page_bytes)
          next.push_back(*word);
    }
  }

  void keep(Address first, std::uint64_t length) {
    follow(first, length, [&](Address block) { return set_aside_.insert(block).second; });
  }

  bool is_central(Address first) {
    for (std::uint64_t i = 0; i < found_.sizes.size(); ++i)
      if (cache_.word(first + i * central_bytes + central_class) != i) return false;
    return true;
  }

  /// A chain holds as many blocks as threads give back at once: they are counted.
  void read_central(Address first) {
    for (std::uint32_t i = 1; i < found_.sizes.size(); ++i) {
      const Address list = first + i * central_bytes;
      const std::uint32_t chains = cache_.half(list + chains_used).value_or(0);
      for (std::uint32_t n = 0; n < std::min<std::uint32_t>(chains, most_chains); ++n)
        follow(cache_.word(list + chains_offset + 16 * n).value_or(0), 1 << 16, [&](Address block) {
          if (!set_aside_.insert(block).second) return false;
          ++cached_[i];
          return true;
        });
    }
  }

  AllocatorWalk& walk_;
  const TcmallocHeaps& found_;
  PageCache cache_;
  bool lists_blocks_;
  std::array<std::uint64_t, lists> cached_{};  // by size class
  std::unordered_set<Address> caches_, set_aside_;
};

}  // namespace

void walk_tcmalloc(const TargetMemory& memory, const HeapOptions& options, HeapReport& report) {
  PageCache cache(memory);
  const TcmallocHeaps found = find_tcmalloc(cache);
  if (found.spans.empty()) return;
  AllocatorWalk walk(memory, options, report, "tcmalloc");
  Walker(walk, found, options.list_request || options.list_address || options.types).run();
}

}  // namespace vmscan
