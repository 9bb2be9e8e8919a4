#include <algorithm>
#include <numeric>

#include "libvmscan/breakdown/waterfall.h"
#include "libvmscan/classify/thread_label.h"

namespace vmscan {
namespace {

constexpr std::uint64_t least_bytes = 64 << 10, least_share = 200;  // nothing is said of less than half a percent

bool is_worth_telling(std::uint64_t bytes, Bytes total) {
  return bytes >= std::max(least_bytes, total.value_or(0) / least_share);
}

/// Their memory is lost until somebody joins them: as address space, too, of which they take most.
void add_unjoined(const Snapshot& snapshot, const Waterfall& waterfall, std::vector<Advice>& advice) {
  Advice unjoined{.kind = AdviceKind::Unjoined, .committed = 0, .in_ram = waterfall.in_ram};
  Bytes committed = 0;
  for (const Region& region : snapshot.regions) {
    committed += region.usage.committed;
    if (region.type != RegionType::Stack || !region.details.starts_with(ended_stack)) continue;
    ++unjoined.threads;
    unjoined.committed += region.usage.committed;
    unjoined.bytes += (waterfall.in_ram ? region.usage.total_ws : region.usage.committed).value_or(0);
  }
  if (is_worth_telling(unjoined.committed.value_or(0), committed) || is_worth_telling(unjoined.bytes, waterfall.total))
    advice.push_back(unjoined);
}

void add_of_heaps(const Snapshot& snapshot, const HeapReport& report, std::vector<Advice>& advice) {
  Advice trim{.kind = AdviceKind::MallocTrim, .raised = report.raised_threshold},
      shared{.kind = AdviceKind::SharedPages}, arenas{.kind = AdviceKind::Arenas}, huge{.kind = AdviceKind::HugePages};
  for (const HeapTotals& heap : report.heaps) {
    if (!heap.residency) continue;
    trim.bytes += heap.residency->trimmable;
    shared.bytes += heap.residency->shared_free;
    shared.blocks += heap.residency->sharing_blocks;
    shared.pages += heap.residency->shared_pages;
    huge.bytes += heap.residency->half_used_free;
    huge.pages += heap.residency->half_used_pages;
    huge.trimmable += heap.residency->half_used_trimmable;
    if (!heap.name.starts_with("arena ")) continue;
    ++arenas.arenas;
    // What the other advice tells of is not told again.
    const std::uint64_t idle = heap.residency->in_ram.free + heap.residency->in_ram.cached;
    arenas.bytes += idle - std::min(idle, heap.residency->trimmable + heap.residency->shared_free);
  }
  arenas.threads = snapshot.threads.size();
  huge.page_bytes = report.huge_page_bytes;
  huge.policy = report.huge_policy;
  advice.insert(advice.end(), {trim, shared});
  if (arenas.arenas > 1 && arenas.threads > 1) advice.push_back(arenas);
  advice.push_back(huge);
}

void add_huge_stacks(const Snapshot& snapshot, std::vector<Advice>& advice) {
  if (!snapshot.huge_stacks) return;
  const HugeStacks& stacks = *snapshot.huge_stacks;
  advice.push_back({.kind = AdviceKind::HugeStacks,
                    .bytes = stacks.unused,
                    .pages = stacks.pages,
                    .threads = stacks.stacks,
                    .page_bytes = stacks.page_bytes,
                    .policy = stacks.on_request ? HugePages::Policy::OnRequest : HugePages::Policy::Always});
}

}  // namespace

std::vector<Advice> advise(const Snapshot& snapshot, const HeapReport* report, const Waterfall& waterfall) {
  std::vector<Advice> advice, heaps, stacks;
  add_unjoined(snapshot, waterfall, advice);
  if (report != nullptr) add_of_heaps(snapshot, *report, heaps);
  add_huge_stacks(snapshot, stacks);
  for (std::vector<Advice>* each : {&heaps, &stacks})
    std::erase_if(*each, [&](const Advice& one) { return !is_worth_telling(one.bytes, waterfall.total); });
  const auto most = [](const std::vector<Advice>& all) {
    return std::accumulate(all.begin(), all.end(), std::uint64_t{0},
                           [](std::uint64_t bytes, const Advice& one) { return std::max(bytes, one.bytes); });
  };
  if (most(stacks) > most(heaps)) heaps.swap(stacks);
  advice.insert(advice.end(), heaps.begin(), heaps.end());
  advice.insert(advice.end(), stacks.begin(), stacks.end());
  return advice;
}

}  // namespace vmscan
