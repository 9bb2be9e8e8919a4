#include "cli/commands/heap_look.h"

#include "libvmscan/capture/capture.h"
#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/owners/recheck.h"

namespace vmscan::cli {
namespace {

/// Says why the report has no heaps.
Note no_heap_note(const HeapReport& report) {
  if (report.left_out_swapped)
    return {"no_heap",
            "no heap was found in what is in RAM: what is swapped out was not read (--all-pages reads it, which brings "
            "it back into RAM)"};
  return {"no_heap",
          "no heap was found: of allocators, this version knows the malloc of glibc and musl, jemalloc, mimalloc and "
          "tcmalloc"};
}

const MemoryReader* memory_of(const OpenTarget& target) {
  return target.source == nullptr ? nullptr : target.source->memory();
}

/// What stands in both: how the target was found, first, and what the walk says, last.
Snapshot snapshot_of(OpenTarget& target, Facts facts, const std::vector<Note>& of_walk,
                     const std::vector<HeapShortfall>& shortfalls) {
  Snapshot snapshot = build_snapshot(std::move(facts));
  add_heap_shortfalls(snapshot, shortfalls);
  snapshot.notes.insert(snapshot.notes.end(), of_walk.begin(), of_walk.end());
  snapshot.notes.insert(snapshot.notes.begin(), target.notes.begin(), target.notes.end());
  return snapshot;
}

/// A snapshot that was saved with its heaps knows their sums.
Expected<HeapLook> recall(OpenTarget& target, const HeapOptions& options) {
  const std::shared_ptr<const HeapContents> contents = target.saved.heap;
  if (contents == nullptr)
    return failure(exit_usage,
                   "a saved snapshot holds no memory to look at: name a process or a core, or take it with --heap");
  if (options.list_request || options.list_address)
    return failure(exit_usage,
                   "a saved snapshot holds sums, not blocks: --size and --address need a process or a core");
  auto snapshot = take_snapshot(target, {});
  if (!snapshot) return std::unexpected(snapshot.error());
  HeapLook looked{.snapshot = std::move(*snapshot), .report = {}};
  static_cast<HeapContents&>(looked.report) = *contents;
  return looked;
}

struct Walk {
  Facts facts;
  Result<HeapReport> report;

  /// What the owners of regions lack as well has been looked at again already.
  bool in_doubt() const {
    return facts.target.kind == TargetKind::Process && report && may_pass(report->shortfalls) &&
           !may_pass(facts.heap_shortfalls);
  }
};

Expected<Walk> walk_once(OpenTarget& target, const CollectOptions& collect, const HeapOptions& options) {
  auto facts = capture(*target.source, collect);
  if (!facts) return failure(facts.error());
  auto report = walk_heaps(*facts, *memory_of(target), options);
  return Walk{std::move(*facts), std::move(report)};
}

Expected<Walk> walk(OpenTarget& target, const CollectOptions& collect, const HeapOptions& options) {
  auto walked = walk_once(target, collect, options);
  for (int looks = 1; looks < shortfall_looks && walked && walked->in_doubt(); ++looks) {
    auto again = walk_once(target, collect, options);
    if (!again || !again->report) return again;
    const std::uint64_t changed = changed_bytes(walked->facts, again->facts);
    again->report->shortfalls = standing(walked->report->shortfalls, again->report->shortfalls, changed);
    walked = std::move(again);
    if (stands_still(walked->report->shortfalls, changed)) break;
  }
  return walked;
}

}  // namespace

Expected<HeapLook> look_at_heaps(OpenTarget& target, const CollectOptions& collect, const HeapOptions& options) {
  if (target.source == nullptr) return recall(target, options);
  const MemoryReader* memory = memory_of(target);
  if (memory == nullptr) return failure(exit_usage, "this file holds no memory to look at: name a process or a core");
  auto walked = walk(target, collect, options);
  if (!walked) return std::unexpected(walked.error());
  auto& [facts, report] = *walked;
  if (!report) return failure(report.error());
  if (report->heaps.empty() && facts.mappings_known) report->notes.push_back(no_heap_note(*report));
  Snapshot snapshot = snapshot_of(target, std::move(facts), report->notes, report->shortfalls);
  return HeapLook{std::move(snapshot), std::move(*report)};
}

Expected<PartialLook> look_as_far_as_possible(OpenTarget& target, const CollectOptions& collect,
                                              const HeapOptions& options) {
  const MemoryReader* memory = memory_of(target);
  if (memory == nullptr) {
    auto snapshot = take_snapshot(target, collect);
    if (!snapshot) return std::unexpected(snapshot.error());
    snapshot->notes.push_back(
        {"heap_not_walked",
         "it holds no memory, and what heaps hold cannot be told: name a process or a core for that"});
    return PartialLook{std::move(*snapshot), {}};
  }
  auto walked = walk(target, collect, options);
  if (!walked) return std::unexpected(walked.error());
  auto& [facts, report] = *walked;
  if (report) {
    Snapshot snapshot = snapshot_of(target, std::move(facts), report->notes, report->shortfalls);
    return PartialLook{std::move(snapshot), std::move(*report)};
  }
  const std::vector<Note> why{{"heap_not_walked", "what heaps hold cannot be told: " + report.error().message}};
  return PartialLook{snapshot_of(target, std::move(facts), why, {}), {}};
}

Expected<Snapshot> take_snapshot(OpenTarget& target, const CollectOptions& collect, WithHeaps heaps) {
  if (heaps == WithHeaps::No || target.source == nullptr) return take_snapshot(target, collect);
  auto look = look_as_far_as_possible(target, collect, {.list_request = {}, .list_address = {}, .types = true});
  if (!look) return std::unexpected(look.error());
  if (look->report && look->report->heaps.empty() && look->snapshot.regions_known)
    look->snapshot.notes.push_back(no_heap_note(*look->report));
  else if (look->report && !look->report->heaps.empty())
    look->snapshot.heap = std::make_shared<HeapContents>(std::move(*look->report));
  return std::move(look->snapshot);
}

}  // namespace vmscan::cli
