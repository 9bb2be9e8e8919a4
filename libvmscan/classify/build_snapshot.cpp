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

/// A region before it is written down.
struct Outline {
  Range range;
  RegionType type = RegionType::PrivateData;
  std::string_view rule;
  Usage usage;
  std::size_t first = 0, last = 0;  // its pieces: [first, last); none where the address space is unusable
  std::string_view unusable = {};   // why it is
};

/// Goes through the claims as regions, with what is unusable between them, by address. The pieces of one claim need not
/// touch each other (the gaps of an image may be free or somebody else's): then each run that touches is a region of
/// its own, so that regions never overlap.
class Outliner {
 public:
  Outliner(const Pieces& pieces, const Accounts& accounts)
      : pieces_(pieces), accounts_(accounts), unused_(nothing_used(accounts.smaps_known())) {}

  template <class See>
  void for_each(See see) {
    const Facts& facts = pieces_.facts;
    Range below_lowest{0, 0};
    if (facts.address_space && facts.lowest_mappable && *facts.lowest_mappable > 0)
      below_lowest = {facts.address_space->begin, *facts.lowest_mappable};
    for (std::size_t first = 0; first < pieces_.pieces.size();) {
      const Outline region = region_from(first);
      below_lowest.end = std::min(below_lowest.end, region.range.begin);
      add_unusable(below_lowest, rule_below_lowest_mappable, "below vm.mmap_min_addr", see);
      below_lowest = {};
      if (facts.address_space && facts.stack_guard_gap &&
          (region.rule == "main_stack" || region.rule == "initial_stack"))
        add_unusable(gap_below(region.range.begin, *facts.stack_guard_gap), rule_stack_guard_gap, "stack guard gap",
                     see);
      see(region);
      end_ = region.range.end;
      first = region.last;
    }
    add_unusable(below_lowest, rule_below_lowest_mappable, "below vm.mmap_min_addr", see);
  }

 private:
  Outline region_from(std::size_t first) const {
    const std::int32_t number = pieces_.pieces[first].claim;
    const Claim& claim = pieces_.claims[static_cast<std::size_t>(number)];
    Outline region{.range = pieces_.pieces[first].range,
                   .type = claim.type,
                   .rule = claim.rule->name,
                   .usage = accounts_.of(first),
                   .first = first,
                   .last = first + 1};
    for (; pieces_.touches_next(region.last - 1) && pieces_.pieces[region.last].claim == number; ++region.last)
      region.usage += accounts_.of(region.last);
    region.range.end = pieces_.pieces[region.last - 1].range.end;
    return region;
  }

  /// Below a growing stack the kernel keeps a gap that only the stack may use.
  Range gap_below(Address stack, std::uint64_t gap) const {
    return {std::max(end_, stack > gap ? stack - gap : 0), stack};
  }

  template <class See>
  void add_unusable(Range range, std::string_view rule, std::string_view details, See& see) {
    range.begin = std::max(range.begin, end_);
    if (range.empty()) return;
    see(Outline{.range = range, .type = RegionType::Unusable, .rule = rule, .usage = unused_, .unusable = details});
    end_ = range.end;
  }

  const Pieces& pieces_;
  const Accounts& accounts_;
  Usage unused_;
  Address end_ = 0;  // of the region before
};

Block block_of(const Pieces& pieces, const Accounts& accounts, std::size_t index) {
  const Piece& piece = pieces.pieces[index];
  return {.range = piece.range,
          .state = state_of(pieces, piece),
          .protection = pieces.mapping(piece).rights_known ? std::optional(protection_of(pieces, piece)) : std::nullopt,
          .usage = accounts.of(index),
          .details = piece.guard && piece.details.empty() ? "Guard" : piece.details.text()};
}

/// Of an image or a file: what the process has pages of its own of.
Bytes modified_bytes(const Pieces& pieces, const Outline& outline) {
  Bytes modified = 0;
  for (std::size_t i = outline.first; i < outline.last; ++i) {
    const auto counts = pages_of(pieces, pieces.pieces[i]);
    const bool known = counts && pieces.facts.sharing_known;
    modified += known ? Bytes(counts->anonymous_exclusive + counts->anonymous_shared) : Bytes{};
  }
  return modified;
}

Region region_of(const Pieces& pieces, const Accounts& accounts, const Outline& outline) {
  if (outline.first == outline.last)
    return unusable_region(outline.range, outline.rule, outline.unusable, outline.usage);
  const Claim& claim = pieces.claims[static_cast<std::size_t>(pieces.pieces[outline.first].claim)];
  Region region{.range = outline.range,
                .type = outline.type,
                .rule = std::string(outline.rule),
                .details = claim.details,
                .evidence = claim.evidence,
                .build_id = claim.build_id,
                .blocks = {},
                .usage = outline.usage};
  region.blocks.reserve(outline.last - outline.first);
  for (std::size_t i = outline.first; i < outline.last; ++i) region.blocks.push_back(block_of(pieces, accounts, i));
  if (region.type == RegionType::Image || region.type == RegionType::MappedFile)
    region.modified = modified_bytes(pieces, outline);
  return region;
}

void classify(const Facts& facts, Wanted wanted, Snapshot& snapshot) {
  Pieces pieces = cut_into_pieces(facts);
  for (const Rule& rule : rules()) rule.apply(pieces, rule);
  label_stacks(pieces);
  const Accounts accounts(pieces);
  Outliner outliner(pieces, accounts);
  if (wanted == Wanted::Sums) {
    Summarizer sums(facts.address_space);
    outliner.for_each([&](const Outline& each) {
      sums.add(each.range, each.type, each.usage, std::max<std::size_t>(each.last - each.first, 1));
    });
    snapshot.sums = std::make_shared<Summary>(sums.finish(facts.kernel.page_tables));
  } else {
    snapshot.regions.reserve(pieces.claims.size());
    outliner.for_each([&](const Outline& each) { snapshot.regions.push_back(region_of(pieces, accounts, each)); });
  }
  if (accounts.apportioned() > 0)
    snapshot.notes.push_back(
        {"smaps_apportioned", fmt::format("{} mappings hold parts of two regions: their PSS, Dirty, Referenced and "
                                          "Huge are shared out by what each part has in RAM",
                                          accounts.apportioned())});
}

}  // namespace

Snapshot build_snapshot(Facts facts, Wanted wanted) {
  normalise(facts);
  Snapshot snapshot;
  snapshot.regions_known = facts.mappings_known;
  snapshot.notes = std::move(facts.notes);
  if (facts.allocations)
    classify_allocations(facts, snapshot);
  else if (facts.mappings_known)
    classify(facts, wanted, snapshot);
  if (!facts.allocations) snapshot.huge_stacks = huge_stacks_of(facts);
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
