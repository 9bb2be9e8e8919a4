#include <algorithm>

#include "libvmscan/heap/waterfall.h"

namespace vmscan {
namespace {

constexpr std::uint64_t least_bytes = 64 << 10, least_share = 200;  // nothing is said of less than half a percent

struct Adviser {
  const Waterfall& waterfall;
  std::vector<Advice> advice = {};

  void add(const Advice& each) {
    if (each.bytes >= std::max(least_bytes, waterfall.total.value_or(0) / least_share)) advice.push_back(each);
  }
};

}  // namespace

std::vector<Advice> advise(const Snapshot& snapshot, const HeapReport& report, const Waterfall& waterfall) {
  Adviser adviser{waterfall};
  Advice trim{.kind = AdviceKind::MallocTrim}, shared{.kind = AdviceKind::SharedPages},
      arenas{.kind = AdviceKind::Arenas}, huge{.kind = AdviceKind::HugePages};
  for (const HeapTotals& heap : report.heaps) {
    if (!heap.residency) continue;
    trim.bytes += heap.residency->trimmable;
    shared.bytes += heap.residency->shared_free;
    shared.blocks += heap.residency->sharing_blocks;
    shared.pages += heap.residency->shared_pages;
    huge.bytes += heap.residency->half_used_free;
    huge.pages += heap.residency->half_used_pages;
    if (!heap.name.starts_with("arena ")) continue;
    ++arenas.arenas;
    const std::uint64_t idle = heap.residency->in_ram.free + heap.residency->in_ram.cached;
    arenas.bytes += idle - std::min(idle, heap.residency->trimmable);
  }
  arenas.threads = snapshot.threads.size();
  adviser.add(trim);
  adviser.add(shared);
  if (arenas.arenas > 1) adviser.add(arenas);
  huge.page_bytes = report.huge_page_bytes;
  huge.policy = report.huge_policy;
  adviser.add(huge);
  return std::move(adviser.advice);
}

}  // namespace vmscan
