#include "libvmscan/owners/recheck.h"

#include <algorithm>
#include <compare>

namespace vmscan {
namespace {

/// What maps and unmaps all the time puts new blocks where others were just now: that changes the map less than the
/// blocks (a program that does nothing else: 31 MB of its blocks seemed to be missing, and 20 to 30 MB had changed).
constexpr std::uint64_t changes_each = 3;

bool passes(const HeapShortfall& shortfall) {
  using Reason = HeapShortfall::Reason;
  return shortfall.reason == Reason::NotUnderstood || (shortfall.reason == Reason::NotFound && shortfall.bytes.known());
}

/// Where private memory without a file begins and ends, and with which rights.
struct Edge {
  Address at = 0;
  int change = 0;
  friend auto operator<=>(const Edge&, const Edge&) = default;
};

void add_edges(const Facts& facts, int side, std::vector<Edge>& edges) {
  for (const Mapping& mapping : facts.mappings) {
    if (mapping.shared || mapping.inode != 0) continue;
    const int change = side * (mapping.write ? 2 : 1);
    edges.push_back({mapping.range.begin, change});
    edges.push_back({mapping.range.end, -change});
  }
}

Bytes smaller(Bytes a, Bytes b) { return a && b ? Bytes{std::min(*a, *b)} : Bytes{}; }

}  // namespace

bool may_pass(const std::vector<HeapShortfall>& shortfalls) { return std::ranges::any_of(shortfalls, passes); }

bool stands_still(const std::vector<HeapShortfall>& shortfalls, std::uint64_t changed) {
  // What an allocator keeps within its memory may be in motion all the same.
  return changed == 0 && std::ranges::none_of(shortfalls, [](const HeapShortfall& each) {
           return each.reason == HeapShortfall::Reason::NotUnderstood;
         });
}

std::uint64_t changed_bytes(const Facts& before, const Facts& after) {
  std::vector<Edge> edges;
  edges.reserve(2 * (before.mappings.size() + after.mappings.size()));
  add_edges(before, 1, edges);
  add_edges(after, -1, edges);
  std::ranges::sort(edges);
  std::uint64_t sum = 0;
  int difference = 0;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    if (difference != 0) sum += edges[i].at - edges[i - 1].at;
    difference += edges[i].change;
  }
  return sum;
}

std::vector<HeapShortfall> standing(const std::vector<HeapShortfall>& first, const std::vector<HeapShortfall>& again,
                                    std::uint64_t changed) {
  std::vector<HeapShortfall> result;
  for (HeapShortfall shortfall : again) {
    if (passes(shortfall)) {
      const auto before = std::ranges::find_if(first, [&](const HeapShortfall& each) {
        return passes(each) && each.allocator == shortfall.allocator && each.figures == shortfall.figures &&
               each.reason == shortfall.reason;
      });
      if (before == first.end()) continue;
      // Structures that are broken stay as they are; those that change just now are others each time.
      if (shortfall.reason == HeapShortfall::Reason::NotUnderstood && shortfall.bytes != before->bytes) continue;
      shortfall.bytes = smaller(shortfall.bytes, before->bytes);
      shortfall.blocks = smaller(shortfall.blocks, before->blocks);
      if (shortfall.bytes && *shortfall.bytes / changes_each <= changed) continue;
    }
    result.push_back(std::move(shortfall));
  }
  return result;
}

}  // namespace vmscan
