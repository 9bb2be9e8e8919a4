#include "libvmscan/breakdown/waterfall.h"

#include <algorithm>
#include <map>
#include <optional>

#include "libvmscan/classify/thread_label.h"

namespace vmscan {
namespace {

constexpr std::size_t most_managed_parts = 12;  // the smaller ones are one line

class Splitter {
 public:
  Splitter(const Snapshot& snapshot, const HeapReport* report) : snapshot_(snapshot), report_(report) {
    Usage total = Usage::zero();
    for (const Region& region : snapshot.regions) total += region.usage;
    result_.in_ram = total.total_ws.known() || !total.committed.known();
    result_.page_table = snapshot.page_table;
    result_.swap = total.swap;
    result_.hugetlb = total.hugetlb;
    for (const Region& region : snapshot.regions) sum_ += bytes_of(region);
    if (snapshot.regions_known) result_.total = sum_;
  }

  Waterfall split() {
    if (!result_.total.known()) return std::move(result_);
    split_heaps();
    for (std::size_t i = 0; i < snapshot_.regions.size(); ++i)
      if (!covered_[i]) add_region(snapshot_.regions[i]);
    add_rest_of_heaps();
    gather_managed();
    finish();
    return std::move(result_);
  }

 private:
  Bytes bytes_of(const Region& region) const {
    if (!result_.in_ram) return region.usage.committed;
    const Bytes all = region.usage.total_ws;
    return all.known() ? Bytes(*all - std::min(*all, region.usage.hugetlb.value_or(0))) : all;
  }

  WaterfallLine& line(WaterfallPart part, const std::string& details = {}) {
    const auto [it, added] = index_.try_emplace({part, details}, result_.lines.size());
    if (added) result_.lines.push_back({.part = part, .details = details, .swap = 0, .blocks = {}, .rules = {}});
    return result_.lines[it->second];
  }

  static void add_rule(WaterfallLine& line, const std::string& rule) {
    if (std::find(line.rules.begin(), line.rules.end(), rule) == line.rules.end()) line.rules.push_back(rule);
  }

  void add(WaterfallPart part, const std::string& details, const Region& region, std::uint64_t bytes, Bytes swap) {
    WaterfallLine& to = line(part, details);
    to.bytes += bytes;
    to.swap += swap;
    if (bytes == 0 && swap == Bytes{0}) return;
    ++to.regions;
    add_rule(to, region.rule);
  }

  void add_region(const Region& region) {
    const std::uint64_t bytes = *bytes_of(region);
    const Bytes swap = region.usage.swap;
    switch (region.type) {
      case RegionType::Image:
        return add_image(region, bytes);
      case RegionType::Heap:
        return add(WaterfallPart::HeapUnread, region.details.substr(0, region.details.find(stacks_in_it)), region,
                   bytes, swap);
      case RegionType::ManagedHeap:
        return add(WaterfallPart::ManagedHeap, region.details, region, bytes, swap);
      case RegionType::Stack:
        return add(WaterfallPart::Stack, stack_group(region), region, bytes, swap);
      case RegionType::MappedFile:
        return add_file(region, bytes);
      case RegionType::Shareable:
        return add(WaterfallPart::Shareable, {}, region, bytes, swap);
      case RegionType::PrivateData:
        if (region.rule == "loader_data") return add(WaterfallPart::PrivateData, region.details, region, bytes, swap);
        return add(WaterfallPart::Unattributed, {}, region, bytes, swap);
      case RegionType::PageTable:
      case RegionType::Unusable:
      case RegionType::Free:
        return add(WaterfallPart::Other, {}, region, bytes, swap);
    }
  }

  static std::string stack_group(const Region& region) {
    for (const std::string_view group : {ended_stack, kept_stack})
      if (region.details.starts_with(group)) return std::string(group);
    return {};
  }

  /// What the process changed of a file that it maps privately; unknown where nothing says so.
  Bytes modified_of(const Region& region) const {
    if (!result_.in_ram) return {};
    return region.modified.known() ? region.modified : region.usage.private_ws;
  }

  void add_file(const Region& region, std::uint64_t bytes) {
    const std::uint64_t modified = std::min(bytes, modified_of(region).value_or(0));
    add(WaterfallPart::MappedFileModified, {}, region, modified, modified > 0 ? region.usage.swap : Bytes(0));
    add(WaterfallPart::MappedFile, {}, region, bytes - modified, modified > 0 ? Bytes(0) : region.usage.swap);
  }

  /// What the process changed of an image is its own; the rest is as in the file, and another process may have it, too.
  void add_image(const Region& region, std::uint64_t bytes) {
    const Bytes own = modified_of(region);
    if (!own.known()) return add(WaterfallPart::Image, {}, region, bytes, region.usage.swap);
    const std::uint64_t modified = std::min(bytes, *own);
    add(WaterfallPart::ImageModified, {}, region, modified, region.usage.swap);
    add(WaterfallPart::ImageUnmodified, {}, region, bytes - modified, Bytes(0));
  }

  /// The regions that overlap a range.
  std::pair<std::size_t, std::size_t> regions_of(Range range) const {
    const auto& regions = snapshot_.regions;
    const auto begin = std::partition_point(regions.begin(), regions.end(),
                                            [&](const Region& region) { return region.range.end <= range.begin; });
    const auto end = std::partition_point(begin, regions.end(),
                                          [&](const Region& region) { return region.range.begin < range.end; });
    return {static_cast<std::size_t>(begin - regions.begin()), static_cast<std::size_t>(end - regions.begin())};
  }

  /// Whether the walk's figures can stand for the regions: it knows what is in RAM, and they are heaps by the rules.
  bool splittable(const HeapTotals& heap) const {
    if (result_.in_ram && !heap.residency) return false;
    return std::all_of(heap.ranges.begin(), heap.ranges.end(), [&](const Range& range) {
      const auto [begin, end] = regions_of(range);
      for (std::size_t i = begin; i < end; ++i)
        if (snapshot_.regions[i].type != RegionType::Heap) return false;
      return begin < end;
    });
  }

  void split_heaps() {
    covered_.assign(snapshot_.regions.size(), false);
    if (report_ == nullptr) return;
    HeapTotals sum{.allocator = {}, .name = {}, .ranges = {}, .in_ram = {}};
    sum.residency = HeapResidency{};
    for (const HeapTotals& heap : report_->heaps) {
      if (!splittable(heap)) continue;
      sum += heap;
      for (const Range& range : heap.ranges) {
        const auto [begin, end] = regions_of(range);
        std::fill(covered_.begin() + static_cast<std::ptrdiff_t>(begin),
                  covered_.begin() + static_cast<std::ptrdiff_t>(end), true);
      }
    }
    rest_ = 0;
    swap_rest_ = Bytes(0);
    for (std::size_t i = 0; i < covered_.size(); ++i)
      if (covered_[i]) {
        rest_ += *bytes_of(snapshot_.regions[i]);
        swap_rest_ += snapshot_.regions[i].usage.swap;
      }
    const PartBytes bytes = result_.in_ram
                                ? sum.residency->in_ram
                                : PartBytes{sum.live.bytes, sum.cached.bytes, sum.free.bytes, sum.overhead, sum.unread};
    if (bytes.sum() > rest_) return covered_.assign(covered_.size(), false);  // it changed too much meanwhile
    rest_ -= bytes.sum();
    const PartBytes swapped = result_.in_ram ? sum.residency->swapped : PartBytes{};
    add_part(WaterfallPart::HeapLive, bytes.live, swapped.live, sum.live.blocks);
    add_part(WaterfallPart::HeapCached, bytes.cached, swapped.cached, sum.cached.blocks);
    add_part(WaterfallPart::HeapFree, bytes.free, swapped.free, sum.free.blocks);
    add_part(WaterfallPart::HeapOverhead, bytes.overhead, swapped.overhead, {});
    add_part(WaterfallPart::HeapUnread, bytes.unread, swapped.unread, {});
  }

  void add_part(WaterfallPart part, std::uint64_t bytes, std::uint64_t swapped, Bytes blocks) {
    WaterfallLine& to = line(part);
    to.bytes += bytes;
    to.swap = swap_rest_.known() ? Bytes(swapped) : Bytes{};
    if (swap_rest_.known()) swap_rest_ = *swap_rest_ - std::min(*swap_rest_, swapped);
    to.blocks = blocks;
    for (std::size_t i = 0; i < covered_.size(); ++i)
      if (covered_[i]) add_rule(to, snapshot_.regions[i].rule);
  }

  void add_rest_of_heaps() {
    if (std::find(covered_.begin(), covered_.end(), true) == covered_.end()) return;
    add_part(WaterfallPart::HeapRest, rest_, swap_rest_.value_or(0), {});
  }

  /// A runtime with many small parts shall not hide the others.
  void gather_managed() {
    std::vector<std::size_t> parts;
    for (std::size_t i = 0; i < result_.lines.size(); ++i)
      if (result_.lines[i].part == WaterfallPart::ManagedHeap) parts.push_back(i);
    std::stable_sort(parts.begin(), parts.end(),
                     [&](std::size_t a, std::size_t b) { return result_.lines[a].bytes > result_.lines[b].bytes; });
    if (parts.size() <= most_managed_parts) return;
    WaterfallLine others{
        .part = WaterfallPart::ManagedHeap, .details = "other parts", .swap = 0, .blocks = {}, .rules = {}};
    for (std::size_t i = most_managed_parts - 1; i < parts.size(); ++i) {
      WaterfallLine& from = result_.lines[parts[i]];
      others.bytes += from.bytes;
      others.swap += from.swap;
      others.regions += from.regions;
      for (const std::string& rule : from.rules) add_rule(others, rule);
      from.bytes = 0;
      from.swap = 0;
    }
    result_.lines.push_back(std::move(others));
  }

  void finish() {
    std::erase_if(result_.lines, [](const WaterfallLine& each) { return each.bytes == 0 && each.swap == Bytes{0}; });
    std::stable_sort(result_.lines.begin(), result_.lines.end(), [](const WaterfallLine& a, const WaterfallLine& b) {
      return a.part != b.part ? a.part < b.part : a.bytes > b.bytes;
    });
    result_.advice = advise(snapshot_, report_, result_);
  }

  const Snapshot& snapshot_;
  const HeapReport* report_;
  Waterfall result_;
  Bytes sum_ = 0;
  std::map<std::pair<WaterfallPart, std::string>, std::size_t> index_;
  std::vector<bool> covered_;  // regions of which the walk tells the parts
  std::uint64_t rest_ = 0;     // of these, what no part has
  Bytes swap_rest_ = 0;
};

}  // namespace

Waterfall explain(const Snapshot& snapshot, const HeapReport* report) { return Splitter(snapshot, report).split(); }

}  // namespace vmscan
