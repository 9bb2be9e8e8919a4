#include "libvmscan/classify/pieces.h"

#include <algorithm>

namespace vmscan {
namespace {

constexpr std::size_t max_guard_pieces = 100'000;  // a hostile target could have one for every other page

/// Whether it is a variable of the program, such as an array in .bss.
bool in_a_load(const std::vector<ImageLoad>& loads, Range range) {
  return std::any_of(loads.begin(), loads.end(), [&](const ImageLoad& load) {
    return std::any_of(load.segments.begin(), load.segments.end(),
                       [&](const Range& segment) { return segment.overlaps(range); });
  });
}

/// Where loads, stacks and heaps begin and end inside anonymous mappings: the kernel merges .bss with what touches it,
/// and stacks and heaps with each other.
std::vector<Address> cuts_of(const Facts& facts, const std::vector<ImageLoad>& loads) {
  std::vector<Address> cuts;
  for (const ThreadStack& stack : facts.stacks) {
    const Range pages = nearest_pages(stack.range, facts.target.page_size);
    cuts.push_back(pages.begin);
    cuts.push_back(pages.end);
  }
  for (const HeapPart& heap : facts.heaps) {
    const Range pages = nearest_pages(heap.range, facts.target.page_size);
    cuts.push_back(pages.begin);
    cuts.push_back(pages.end);
  }
  for (const RuntimePart& part : facts.runtimes) {
    const Range pages = nearest_pages(part.range, facts.target.page_size);
    cuts.push_back(pages.begin);
    cuts.push_back(pages.end);
  }
  for (const SignalStack& stack : facts.signal_stacks) {
    if (in_a_load(loads, stack.range)) continue;
    const Range pages = nearest_pages(stack.range, facts.target.page_size);
    cuts.push_back(pages.begin);
    cuts.push_back(pages.end);
  }
  for (const ImageLoad& load : loads)
    for (const Range& segment : load.segments) {
      cuts.push_back(segment.begin);
      cuts.push_back(segment.end);
    }
  std::sort(cuts.begin(), cuts.end());
  return cuts;
}

class Cutter {
 public:
  explicit Cutter(const Facts& facts, std::vector<Piece>& pieces) : facts_(facts), pieces_(pieces) {}

  void add(std::uint32_t index, const std::vector<Address>& cuts) {
    const Mapping& mapping = facts_.mappings[index];
    Range rest = mapping.range;
    if (mapping.inode == 0 && !mapping.shared && mapping.counted == nullptr)  // sums alone cannot be divided
      for (auto cut = std::upper_bound(cuts.begin(), cuts.end(), rest.begin);
           cut != cuts.end() && *cut < mapping.range.end; ++cut) {
        if (*cut == rest.begin) continue;
        add_around_guards(index, {rest.begin, *cut});
        rest.begin = *cut;
      }
    add_around_guards(index, rest);
  }

 private:
  void add_around_guards(std::uint32_t index, Range range) {
    if (pieces_.size() < facts_.mappings.size() + max_guard_pieces)
      for (const Range& guard : facts_.pages.guards(range)) {
        if (guard.begin > range.begin) push(index, {range.begin, guard.begin}, false);
        push(index, guard, true);
        range.begin = guard.end;
      }
    if (!range.empty()) push(index, range, false);
  }

  void push(std::uint32_t index, Range range, bool guard) {
    pieces_.push_back({.range = range, .mapping = index, .guard = guard, .details = {}});
  }

  const Facts& facts_;
  std::vector<Piece>& pieces_;
};

}  // namespace

Range nearest_pages(Range range, std::uint64_t page_size) {
  const auto nearest = [&](Address address) {
    const Address below = address - address % page_size;
    const auto page = Range::make(below, page_size);
    return address - below > page_size / 2 && page ? page->end : below;
  };
  return {nearest(range.begin), nearest(range.end)};
}

std::size_t Pieces::find(Address address) const {
  const auto it = std::partition_point(pieces.begin(), pieces.end(),
                                       [&](const Piece& piece) { return piece.range.end <= address; });
  return it != pieces.end() && it->range.contains(address) ? static_cast<std::size_t>(it - pieces.begin())
                                                           : pieces.size();
}

std::int32_t Pieces::add_claim(Claim claim) {
  claims.push_back(std::move(claim));
  return static_cast<std::int32_t>(claims.size() - 1);
}

Pieces cut_into_pieces(const Facts& facts) {
  Pieces pieces{.facts = facts,
                .loads = find_image_loads(facts.mappings, facts.images, facts.target.page_size),
                .pieces = {},
                .claims = {}};
  const std::vector<Address> cuts = cuts_of(facts, pieces.loads);
  pieces.pieces.reserve(facts.mappings.size() + cuts.size());
  Cutter cutter(facts, pieces.pieces);
  for (std::uint32_t index = 0; index < facts.mappings.size(); ++index) cutter.add(index, cuts);
  return pieces;
}

}  // namespace vmscan
