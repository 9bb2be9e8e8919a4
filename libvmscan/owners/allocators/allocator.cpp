#include "libvmscan/owners/allocators/allocator.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace vmscan {
namespace {

constexpr std::size_t most_sizes = 100'000;  // mapped blocks may have any size

BlockSum& sum_of(HeapTotals& totals, BlockState state) {
  return state == BlockState::Live ? totals.live : state == BlockState::Cached ? totals.cached : totals.free;
}

BlockSum& sum_of(SizeTotals& totals, BlockState state) {
  return state == BlockState::Live ? totals.live : state == BlockState::Cached ? totals.cached : totals.free;
}

}  // namespace

AllocatorWalk::AllocatorWalk(const TargetMemory& memory, const HeapOptions& options, HeapReport& report,
                             std::string_view name)
    : memory_(memory), options_(options), report_(report), name_(name) {
  if (!options.types) return;
  objects_.emplace(memory);
  reader_.emplace(memory, Range{0, std::numeric_limits<Address>::max()});
}

std::size_t AllocatorWalk::add_heap(std::string name) {
  report_.heaps.push_back({.allocator = std::string(name_), .name = std::move(name), .ranges = {}, .in_ram = {}});
  if (memory_.facts().pages_known) report_.heaps.back().residency.emplace();
  return report_.heaps.size() - 1;
}

void AllocatorWalk::add(std::size_t heap, const SizeClass& kind, BlockState state, std::uint64_t blocks) {
  if (blocks == 0) return;
  const BlockSum sum{blocks, blocks * kind.size};
  sum_of(report_.heaps[heap], state) += sum;
  if (state == BlockState::Free)
    report_.heaps[heap].largest_free = std::max(report_.heaps[heap].largest_free, kind.size);
  const auto known = sizes_.find(kind.size);
  if (known == sizes_.end() && sizes_.size() >= most_sizes) return;
  SizeTotals& totals = known != sizes_.end() ? known->second : sizes_[kind.size];
  if (totals.size == 0) {
    totals.allocator = name_;
    totals.size = kind.size;
    totals.least_request = kind.least_request;
    totals.most_request = kind.most_request;
  }
  totals.least_request = std::min(totals.least_request, kind.least_request);
  totals.most_request = std::max(totals.most_request, kind.most_request);
  sum_of(totals, state) += sum;
}

void AllocatorWalk::cache(std::size_t heap, const SizeClass& kind, std::uint64_t blocks) {
  const auto take = [&](auto& totals) {
    const BlockSum sum{blocks, blocks * kind.size};
    totals.live.blocks -= sum.blocks;
    totals.live.bytes -= sum.bytes;
    totals.cached += sum;
  };
  HeapTotals& totals = report_.heaps[heap];
  const auto size = sizes_.find(kind.size);
  if (size == sizes_.end()) return;
  blocks = std::min({blocks, totals.live.blocks, totals.live.bytes / kind.size, size->second.live.blocks});
  take(totals);
  take(size->second);
  if (!totals.residency) return;
  PartBytes& parts = totals.residency->in_ram;
  const std::uint64_t moved = std::min(parts.live, blocks * kind.size);
  parts.live -= moved;
  parts.cached += moved;
}

void AllocatorWalk::reside(std::size_t heap, Range range, std::uint64_t PartBytes::*part) {
  auto& residency = report_.heaps[heap].residency;
  if (!residency) return;
  const PageCounts pages = memory_.facts().pages.count(range);
  residency->in_ram.*part += pages.in_ram();
  residency->swapped.*part += pages.swapped;
}

/// Structures that contradict the pages tell nothing of where the bytes are.
void AllocatorWalk::settle_residency(HeapTotals& totals, std::uint64_t PartBytes::*rest) const {
  if (!totals.residency) return;
  std::uint64_t in_ram = 0, swapped = 0;
  for (const Range& range : totals.ranges) {
    const PageCounts pages = memory_.facts().pages.count(range);
    in_ram += pages.in_ram();
    swapped += pages.swapped;
  }
  PartBytes &found = totals.residency->in_ram, &gone = totals.residency->swapped;
  if (found.sum() > in_ram || gone.sum() > swapped) return totals.residency.reset();
  found.*rest += in_ram - found.sum();
  gone.*rest += swapped - gone.sum();
}

bool AllocatorWalk::wants(const SizeClass& kind, Range where) const { return objects_ || lists(kind, where); }

bool AllocatorWalk::lists(const SizeClass& kind, Range where) const {
  if (options_.list_request)
    return *options_.list_request >= kind.least_request && *options_.list_request <= kind.most_request;
  return options_.list_address && where.contains(*options_.list_address);
}

/// How many of `count` blocks the list has room for, and one more, which tells that it is not complete.
std::uint64_t AllocatorWalk::most_listed(const SizeClass& kind, std::uint64_t count) const {
  if (!options_.list_request || !lists(kind, {})) return 0;
  const std::size_t used = std::min(report_.blocks.size(), options_.most_blocks);
  return std::min<std::uint64_t>(count, options_.most_blocks - used + 1);
}

std::vector<Range> AllocatorWalk::parts_wanted(Range range) const {
  std::vector<Range> parts;
  if (objects_) parts = memory_.readable(range);
  if (!options_.list_request && options_.list_address && range.contains(*options_.list_address))
    parts.push_back({*options_.list_address, *options_.list_address + 1});
  return joined(std::move(parts));
}

void AllocatorWalk::see(std::size_t heap, const SizeClass& kind, Address address, Range where, BlockState state) {
  const std::size_t word = memory_.word_bytes();
  if (objects_ && state == BlockState::Live)
    if (const std::byte* bytes = reader_->at(address, word))
      objects_->add(memory_.word_at({bytes, word}, 0), kind.size);
  if (!lists(kind, where)) return;
  if (report_.blocks.size() >= options_.most_blocks) {
    report_.blocks_complete = false;
    return;
  }
  report_.blocks.push_back({.address = address, .size = kind.size, .state = state, .heap = heap});
}

void AllocatorWalk::finish(std::size_t first, Rest rest) {
  for (std::size_t i = first; i < report_.heaps.size(); ++i) {
    HeapTotals& totals = report_.heaps[i];
    totals.ranges = joined(std::move(totals.ranges));
    totals.size = 0;
    for (const Range& range : totals.ranges) totals.size += range.size();
    totals.in_ram = bytes_in_ram(memory_.facts(), totals.ranges);
    const std::uint64_t told =
        totals.live.bytes + totals.cached.bytes + totals.free.bytes + totals.overhead + totals.unread;
    if (told > totals.size) {  // structures that contradict each other
      totals.live = totals.cached = totals.free = {};
      totals.overhead = 0;
      totals.unread = totals.size;
      totals.residency.reset();
      ++totals.broken;
      report_.notes.push_back({"heap_broken", fmt::format("{}: what its structures say of its blocks is more than "
                                                          "there is: its {} bytes are unread",
                                                          totals.name, totals.size)});
      continue;
    }
    (rest == Rest::Overhead ? totals.overhead : totals.unread) += totals.size - told;
    settle_residency(totals, rest == Rest::Overhead ? &PartBytes::overhead : &PartBytes::unread);
  }
  for (auto& [size, totals] : sizes_) report_.sizes.push_back(std::move(totals));
  if (objects_) add_types(report_.types, objects_->totals());
}

}  // namespace vmscan
