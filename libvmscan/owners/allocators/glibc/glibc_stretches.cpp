// All heaps of glibc's malloc, cut into stretches that are walked at the same time. Where the first chunk of a stretch
// begins is known only when the one before it has been walked. So a chain is picked up where one seems to begin, and
// counts if the stretch before ends there; otherwise the stretch is walked again from where it does.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "libvmscan/base/in_order.h"
#include "libvmscan/base/run_on_threads.h"
#include "libvmscan/memory/page_cache.h"
#include "libvmscan/owners/allocators/glibc/glibc_walk.h"

namespace vmscan {
namespace {

constexpr int most_attempts = 3;
constexpr unsigned most_threads = 8;
constexpr std::uint64_t threads_pay_bytes = 4 << 20;  // below, starting them costs more than it saves

unsigned thread_count() { return std::min(processors(), most_threads); }

/// Where the next bytes are that can be read, if there are none at `at`; otherwise there.
Address next_in(const std::vector<Range>& readable, Address at, Address end) {
  const auto run = std::ranges::partition_point(readable, [&](const Range& each) { return each.end <= at; });
  return run == readable.end() ? end : std::max(at, run->begin);
}

/// As many as there are bytes for: a heap may be said to have terabytes of which a file holds nothing.
void cut_into_stretches(const TargetMemory& memory, const GlibcArena& arena, std::size_t index, std::uint64_t bytes,
                        std::vector<HeapStretch>& stretches) {
  for (std::size_t i = 0; i < arena.heaps.size(); ++i) {
    const GlibcHeap& heap = arena.heaps[i];
    const Address end = heap.range.end;
    HeapStretch stretch{.arena = index, .heap = i, .range = heap.range, .first = heap.first_chunk};
    const bool cut = heap.first_chunk != 0 && heap.range.size() > bytes + bytes / 2;
    const std::vector<Range> readable = cut ? memory.readable(heap.range) : std::vector<Range>();
    while (cut && end - stretch.range.begin > bytes + bytes / 2) {
      stretch.range.end = next_in(readable, stretch.range.begin + bytes, end);
      if (stretch.range.end == end) break;
      stretches.push_back(stretch);
      stretch.range = {stretch.range.end, end};
      stretch.first = 0;
    }
    stretches.push_back(stretch);
  }
}

/// Puts the stretches of one arena together, in order.
class ArenaWalk {
 public:
  explicit ArenaWalk(GlibcWalk& walk) : walk_(walk), found_(walk.nothing), stretches_before_(walk.links.stretches()) {}

  void add(const HeapStretch& stretch, WalkedStretch&& walked) {
    const bool first = stretch.range.begin == walk_.found.arenas[stretch.arena].heaps[stretch.heap].range.begin;
    if (!first && at_ >= stretch.range.end) return;  // a chunk goes on over all of it
    if (!first && (walked.begin != at_ || walked.broken)) {
      HeapStretch again = stretch;
      again.first = at_;
      walked = walk_stretch(walk_, again);
    }
    at_ = walked.end;
    found_.add(std::move(walked.findings), walk_.options);
    walk_.links.append(std::move(walked.links));
  }

  const HeapTotals& totals() const { return found_.totals; }
  /// Adds it all to the walk.
  HeapTotals finish(const GlibcArena& arena) {
    HeapTotals totals = found_.totals;
    totals.allocator = "glibc";
    totals.name = name_of(arena);
    for (const GlibcHeap& heap : arena.heaps) {
      totals.ranges.push_back(heap.range);
      totals.size += heap.range.size();
    }
    totals.in_ram = bytes_in_ram(walk_.memory.facts(), totals.ranges);
    walk_.all.add(std::move(found_), walk_.options);
    return totals;
  }
  void give_up() { walk_.links.keep_stretches(stretches_before_); }

 private:
  GlibcWalk& walk_;
  GlibcFindings found_;
  std::size_t stretches_before_;
  Address at_ = 0;  // how far the chain of the heap has led
};

/// A chain that breaks in a process that runs was probably changed while it was read: then once more.
HeapTotals finish_arena(GlibcWalk& walk, std::size_t index, ArenaWalk& first) {
  const bool runs = walk.memory.facts().target.kind == TargetKind::Process;
  if (!runs || first.totals().broken == 0) return first.finish(walk.found.arenas[index]);
  first.give_up();
  for (int attempt = 2;; ++attempt) {
    GlibcArena& arena = walk.found.arenas[index];
    const GlibcHeaps now = find_glibc_arenas(walk.memory);
    for (const GlibcArena& each : now.arenas)  // pieces that had to be searched for stay as they are
      if (each.address == arena.address && each.heaps.size() >= arena.heaps.size()) arena = each;
    std::vector<HeapStretch> stretches;
    cut_into_stretches(walk.memory, arena, index, walk.options.stretch_bytes, stretches);
    ArenaWalk again(walk);
    for_each_in_order(
        stretches.size(), thread_count(), [&](std::size_t i) { return walk_stretch(walk, stretches[i]); },
        [&](std::size_t i, WalkedStretch&& walked) { again.add(stretches[i], std::move(walked)); });
    const bool good = again.totals().broken == 0;
    walk.report.retried |= good;
    if (good || attempt == most_attempts) return again.finish(arena);
    again.give_up();
  }
}

}  // namespace

std::string name_of(const GlibcArena& arena) {
  return arena.number == 0 ? "main arena" : fmt::format("arena {}", arena.number);
}

void GlibcFindings::add(GlibcFindings&& other, const HeapOptions& options) {
  sizes += other.sizes;
  if (objects && other.objects) *objects += *other.objects;
  totals += other.totals;
  const auto append = [](auto& to, auto& from, std::size_t most) {
    const std::size_t count = std::min(from.size(), most - std::min(most, to.size()));
    to.insert(to.end(), std::make_move_iterator(from.begin()),
              std::make_move_iterator(from.begin() + static_cast<std::ptrdiff_t>(count)));
    return count == from.size();
  };
  append(thread_caches, other.thread_caches, most_thread_caches);
  append(empty_thread_caches, other.empty_thread_caches, most_thread_caches);
  append(notes, other.notes, most_notes);
  if (!append(blocks, other.blocks, options.most_blocks)) blocks_complete = false;
  blocks_complete = blocks_complete && other.blocks_complete;
}

std::vector<HeapTotals> walk_arenas(GlibcWalk& walk) {
  std::vector<HeapStretch> stretches;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < walk.found.arenas.size(); ++i)
    cut_into_stretches(walk.memory, walk.found.arenas[i], i, walk.options.stretch_bytes, stretches);
  for (const HeapStretch& stretch : stretches) bytes += stretch.range.size();
  const unsigned threads = bytes < threads_pay_bytes ? 1 : thread_count();
  std::vector<HeapTotals> heaps;
  heaps.reserve(walk.found.arenas.size() + 1);
  std::optional<ArenaWalk> arena(walk);
  const auto finish_up_to = [&](std::size_t arenas) {
    for (; heaps.size() < arenas; arena.emplace(walk)) heaps.push_back(finish_arena(walk, heaps.size(), *arena));
  };
  for_each_in_order(
      stretches.size(), threads, [&](std::size_t i) { return walk_stretch(walk, stretches[i]); },
      [&](std::size_t i, WalkedStretch&& walked) {
        finish_up_to(stretches[i].arena);
        arena->add(stretches[i], std::move(walked));
      });
  finish_up_to(walk.found.arenas.size());
  return heaps;
}

}  // namespace vmscan
