#include "libvmscan/classify/build_snapshot.h"

#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/classify/account.h"
#include "libvmscan/classify/allocation_rules.h"
#include "libvmscan/classify/normalise.h"
#include "libvmscan/classify/rules.h"
#include "libvmscan/classify/stack_depth.h"
#include "libvmscan/classify/unusable.h"

namespace vmscan {
namespace {

/// Turns the claims into regions. The pieces of one claim need not touch each other (the gaps of an image may be free
/// or somebody else's): then each run that touches is a region of its own, so that regions never overlap.
std::vector<Region> regions_of(Pieces& pieces, const std::vector<Usage>& usages) {
  std::vector<Region> regions;
  regions.reserve(pieces.claims.size());
  std::vector<std::uint32_t> pieces_of(pieces.claims.size());
  for (const Piece& piece : pieces.pieces) ++pieces_of[static_cast<std::size_t>(piece.claim)];
  std::int32_t open = Piece::unclaimed;
  for (std::size_t i = 0; i < pieces.pieces.size(); ++i) {
    Piece& piece = pieces.pieces[i];
    const Claim& claim = pieces.claims[static_cast<std::size_t>(piece.claim)];
    const bool joins = piece.claim == open && !regions.empty() && regions.back().range.end == piece.range.begin;
    if (!joins) {
      regions.push_back({.range = piece.range,
                         .type = claim.type,
                         .rule = std::string(claim.rule->name),
                         .details = claim.details,
                         .evidence = claim.evidence,
                         .build_id = claim.build_id,
                         .blocks = {},
                         .usage = Usage::zero(),
                         .modified = 0});
      regions.back().blocks.reserve(pieces_of[static_cast<std::size_t>(piece.claim)]);
      open = piece.claim;
    }
    Region& region = regions.back();
    region.range.end = piece.range.end;
    region.usage += usages[i];
    if (claim.type == RegionType::Image || claim.type == RegionType::MappedFile) {
      const auto counts = pages_of(pieces, piece);
      const bool known = counts && pieces.facts.sharing_known;
      region.modified += known ? Bytes(counts->anonymous_exclusive + counts->anonymous_shared) : Bytes{};
    }
    if (piece.guard && piece.details.empty()) piece.details = "Guard";
    region.blocks.push_back(
        {.range = piece.range,
         .state = state_of(pieces, piece),
         .protection = pieces.mapping(piece).rights_known ? std::optional(protection_of(pieces, piece)) : std::nullopt,
         .usage = usages[i],
         .details = std::move(piece.details)});
  }
  return regions;
}

struct Unusable {
  Range range;
  std::string_view rule;
  std::string_view details;
};

void insert_unusable(Snapshot& snapshot, const Unusable& unusable, const Usage& usage) {
  Range range = unusable.range;
  const auto at = std::partition_point(snapshot.regions.begin(), snapshot.regions.end(),
                                       [&](const Region& region) { return region.range.end <= range.begin; });
  if (at != snapshot.regions.end()) range.end = std::min(range.end, at->range.begin);
  if (range.empty()) return;
  snapshot.regions.insert(at, unusable_region(range, unusable.rule, unusable.details, usage));
}

/// Below a growing stack the kernel keeps a gap that only the stack may use.
Range gap_below(const std::vector<Region>& regions, std::size_t stack, std::uint64_t gap) {
  const Address end = regions[stack].range.begin;
  const Address floor = stack > 0 ? regions[stack - 1].range.end : 0;
  return {std::max(floor, end > gap ? end - gap : 0), end};
}

void add_unusable(const Facts& facts, bool smaps_known, Snapshot& snapshot) {
  if (!facts.address_space) return;
  const Usage usage = nothing_used(smaps_known);
  std::vector<Unusable> all;
  if (facts.lowest_mappable && *facts.lowest_mappable > 0)
    all.push_back(
        {{facts.address_space->begin, *facts.lowest_mappable}, rule_below_lowest_mappable, "below vm.mmap_min_addr"});
  if (facts.stack_guard_gap)
    for (std::size_t i = 0; i < snapshot.regions.size(); ++i)
      if (snapshot.regions[i].rule == "main_stack" || snapshot.regions[i].rule == "initial_stack")
        all.push_back(
            {gap_below(snapshot.regions, i, *facts.stack_guard_gap), rule_stack_guard_gap, "stack guard gap"});
  for (const Unusable& unusable : all) insert_unusable(snapshot, unusable, usage);
}

void classify(const Facts& facts, Snapshot& snapshot) {
  Pieces pieces = cut_into_pieces(facts);
  for (const Rule& rule : rules()) rule.apply(pieces, rule);
  label_stacks(pieces);
  std::size_t apportioned = 0;
  const std::vector<Usage> usages = account(pieces, apportioned);
  snapshot.regions = regions_of(pieces, usages);
  const bool smaps_known =
      !usages.empty() && std::any_of(usages.begin(), usages.end(), [](const Usage& u) { return u.pss.known(); });
  add_unusable(facts, smaps_known, snapshot);
  if (apportioned > 0)
    snapshot.notes.push_back(
        {"smaps_apportioned", fmt::format("{} mappings hold parts of two regions: their PSS, Dirty, Referenced and "
                                          "Huge are shared out by what each part has in RAM",
                                          apportioned)});
}

}  // namespace

Snapshot build_snapshot(Facts facts) {
  normalise(facts);
  Snapshot snapshot;
  snapshot.regions_known = facts.mappings_known;
  snapshot.notes = std::move(facts.notes);
  if (facts.allocations) {
    classify_allocations(facts, snapshot);
  } else {
    classify(facts, snapshot);
    snapshot.huge_stacks = huge_stacks_of(facts);
  }
  snapshot.target = std::move(facts.target);
  snapshot.captured_at_unix_ms = facts.captured_at_unix_ms;
  snapshot.consistency = facts.consistency;
  snapshot.address_space = facts.address_space;
  snapshot.page_table = facts.kernel.page_tables;
  snapshot.kernel = facts.kernel;
  snapshot.limits = std::move(facts.limits);
  snapshot.threads = std::move(facts.threads);
  add_heap_shortfalls(snapshot, facts.heap_shortfalls);
  return snapshot;
}

}  // namespace vmscan
