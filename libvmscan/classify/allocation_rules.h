// The rule table for sources that know allocations (Windows) instead of mappings: what makes an allocation what it is.
// Rules run in the order of the table; each claims allocations that nothing before it explained.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "libvmscan/model/facts.h"

namespace vmscan {

struct AllocationRule;

/// Pages with a common allocation base that touch each other: a region in the making.
struct Allocation {
  std::size_t begin = 0, end = 0;  // indexes of its pages
  Range range;
  Address base = 0;
  AllocationKind kind = AllocationKind::Unknown;
  const AllocationRule* rule = nullptr;  // null: not explained yet
  std::string details, evidence, build_id;
};

/// The work sheet of classify_allocations().
struct AllocationSheet {
  const Facts& facts;
  const std::vector<AllocationPages>& pages;  // sorted, never overlapping, without free ones
  std::vector<Allocation> allocations;        // sorted; together they are all of the pages
  std::vector<std::string> details;           // one for each of the pages

  /// Index of the allocation with the address, or allocations.size().
  std::size_t find(Address address) const;
  /// Index of the pages with the address, or pages.size().
  std::size_t find_pages(Address address) const;
};

struct AllocationRule {
  std::string_view name;
  RegionType type;
  std::string_view meaning;                                      // one phrase for people
  void (*apply)(AllocationSheet& sheet, const AllocationRule&);  // claims what it explains
};

std::span<const AllocationRule> allocation_rules();

/// Names of what is added beside the allocations.
inline constexpr std::string_view rule_null_partition = "null_partition";
inline constexpr std::string_view rule_granularity = "allocation_granularity";

/// Sets the regions and adds notes. What overlaps is cut, with a note; pages that are free are no region.
void classify_allocations(Facts& facts, Snapshot& snapshot);

}  // namespace vmscan
