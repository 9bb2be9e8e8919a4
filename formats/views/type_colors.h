// The colour of each type on a terminal, after VMMap's; for the markers of the summary and for the bars above it.
#pragma once

#include <array>
#include <cstdint>

#include "libvmscan/model/region.h"

namespace vmscan::formats {

/// Numbers of the 256-colour palette, indexed by RegionType.
inline constexpr std::array<std::uint8_t, region_types.size()> type_colors{
    141,  // Image: purple
    69,   // Mapped File: blue
    80,   // Shareable: cyan
    203,  // Heap: red
    113,  // Managed Heap: green
    208,  // Stack: orange
    221,  // Private Data: yellow
    246,  // Page Table: grey
    240,  // Unusable: dark grey
    252,  // Free: light grey
};

constexpr unsigned color_of(RegionType type) { return type_colors[static_cast<std::size_t>(type)]; }

}  // namespace vmscan::formats
