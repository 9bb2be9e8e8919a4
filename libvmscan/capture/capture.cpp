#include "libvmscan/capture/capture.h"

#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/base/step_timer.h"
#include "libvmscan/memory/memory_cache.h"
#include "libvmscan/owners/find_owners.h"
#include "libvmscan/owners/recheck.h"
#include "libvmscan/owners/threads/thread_stacks.h"

namespace vmscan {
namespace {

/// Of a minidump with a little of each stack nobody can tell what owns the rest: its shape alone says more.
bool holds_most_memory(const Facts& facts, const MemoryReader& memory) {
  std::vector<Range> wanted;
  for (const Mapping& mapping : facts.mappings)
    if (mapping.write && !mapping.shared && mapping.inode == 0) wanted.push_back(mapping.range);
  const auto held = memory.present(wanted);
  if (!held) return false;
  const auto bytes_of = [](const std::vector<Range>& ranges) {
    std::uint64_t sum = 0;
    for (const Range& range : ranges) sum += range.size();
    return sum;
  };
  return bytes_of(*held) > bytes_of(wanted) / 2;
}

/// Whether the memory can be asked for its owners.
bool has_owners(const Facts& facts, const MemoryReader* memory) {
  if (memory == nullptr || !facts.contents_match || facts.mappings.empty() || facts.target.system == "windows")
    return false;
  return facts.target.kind != TargetKind::Minidump || holds_most_memory(facts, *memory);
}

void add_owners(const MemoryReader& memory, const CollectOptions& options, Facts& facts) {
  StepTimer timer(options.trace);
  find_thread_stacks(facts, memory);
  if (facts.target.kind == TargetKind::Process) note_missing_stacks(facts);
  timer.step(fmt::format("{} stacks", facts.stacks.size()));
  const MemoryCache cache(memory, facts);
  find_owners(facts, cache, options.heap_search_bytes);
  timer.step(fmt::format("{} parts of managed runtimes, {} of heaps", facts.runtimes.size(), facts.heaps.size()));
  find_signal_stacks(facts, cache);
  timer.step(fmt::format("{} alternate signal stacks", facts.signal_stacks.size()));
}

Result<Facts> look(Source& source, const CollectOptions& options) {
  Result<Facts> facts = source.collect(options);
  if (!facts) return facts;
  if (has_owners(*facts, source.memory())) add_owners(*source.memory(), options, *facts);
  source.complete(options, *facts);
  return facts;
}

}  // namespace

Result<Facts> capture(Source& source, const CollectOptions& options) {
  Result<Facts> facts = look(source, options);
  const auto in_doubt = [&] {
    return facts && facts->target.kind == TargetKind::Process && may_pass(facts->heap_shortfalls);
  };
  for (int looks = 1; looks < shortfall_looks && in_doubt(); ++looks) {
    Result<Facts> again = look(source, options);
    if (!again) return again;
    const std::uint64_t changed = changed_bytes(*facts, *again);
    again->heap_shortfalls = standing(facts->heap_shortfalls, again->heap_shortfalls, changed);
    facts = std::move(again);
    if (stands_still(facts->heap_shortfalls, changed)) break;
  }
  return facts;
}

}  // namespace vmscan
