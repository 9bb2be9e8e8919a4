// A process runs while it is looked at: what seems to be missing may have come or gone between two reads. Only what is
// missing in every look, and is more than what the process mapped and unmapped meanwhile, is a shortfall.
#pragma once

#include "libvmscan/model/facts.h"

namespace vmscan {

/// So often a process that maps and unmaps all the time is looked at before a shortfall is believed.
inline constexpr int shortfall_looks = 5;

/// Whether any of them may be gone at a second look. Those of a reason that does not pass are not, nor what an
/// allocator never tells the size of.
bool may_pass(const std::vector<HeapShortfall>& shortfalls);

/// Bytes of private memory without a file that only one of them has, or has with other rights.
std::uint64_t changed_bytes(const Facts& before, const Facts& after);

/// Whether a third look would tell no more, as nothing was mapped or unmapped between two.
bool stands_still(const std::vector<HeapShortfall>& shortfalls, std::uint64_t changed);

/// What of `first` stands after a second look, which found `again`: the smaller of both, where that is more than three
/// times what changed.
std::vector<HeapShortfall> standing(const std::vector<HeapShortfall>& first, const std::vector<HeapShortfall>& again,
                                    std::uint64_t changed);

}  // namespace vmscan
