// Bytes of each block, from what was found of its pages.
#pragma once

#include <vector>

#include "libvmscan/classify/pieces.h"
#include "libvmscan/model/region.h"

namespace vmscan {

/// Where the pages of a piece are; nothing where that is not known.
std::optional<PageCounts> pages_of(const Pieces& pieces, const Piece& piece);

/// State and rights of a piece as a block.
State state_of(const Pieces& pieces, const Piece& piece);
Protection protection_of(const Pieces& pieces, const Piece& piece);

/// Usage of every piece, in their order. The columns of smaps are known for whole mappings only: where one was cut,
/// they are shared out by what each part has in RAM (`apportioned` counts these mappings).
std::vector<Usage> account(const Pieces& pieces, std::size_t& apportioned);

}  // namespace vmscan
