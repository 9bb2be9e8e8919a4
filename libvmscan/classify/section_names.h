// How the parts of an image are named that meet one block.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/range.h"

namespace vmscan {

struct NamedPart {
  std::string_view name;
  Range range;
};

/// The names of the parts that meet the block: the largest four of them, in address order, and how many more.
std::string names_in_block(std::vector<NamedPart> parts, Range block);

}  // namespace vmscan
