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

/// Usage of the pieces.
class Accounts {
 public:
  explicit Accounts(const Pieces& pieces);

  /// Of the piece with the index.
  Usage of(std::size_t index) const;
  /// Whether smaps told of a piece.
  bool smaps_known() const;
  /// The columns of smaps are known for whole mappings only: where one was cut, they are shared out by what each part
  /// has in RAM. The number of these mappings.
  std::size_t apportioned() const { return apportioned_; }

 private:
  void share_out_smaps();

  const Pieces& pieces_;
  std::vector<Usage> usages_;  // only where smaps was read
  std::size_t apportioned_ = 0;
};

}  // namespace vmscan
