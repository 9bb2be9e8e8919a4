// Address space that is not allocated and cannot be.
#pragma once

#include <string>
#include <string_view>

#include "libvmscan/model/region.h"

namespace vmscan {

/// Nothing is there. The columns of smaps are as unknown in an unusable region as everywhere else.
inline Usage nothing_used(bool smaps_known) {
  Usage usage = Usage::zero();
  for (const UsageColumn& column : usage_columns)
    if (column.from_smaps && !smaps_known) usage.*column.member = Bytes{};
  return usage;
}

inline Region unusable_region(Range range, std::string_view rule, std::string_view details, const Usage& usage) {
  Region region{.range = range,
                .type = RegionType::Unusable,
                .rule = std::string(rule),
                .details = std::string(details),
                .evidence = {},
                .build_id = {},
                .blocks = {},
                .usage = usage};
  region.blocks.push_back(
      {.range = range, .state = State::Reserved, .protection = Protection{}, .usage = usage, .details = {}});
  return region;
}

}  // namespace vmscan
