// Memory of managed runtimes: what find_runtime_parts() found.
#include <algorithm>

#include "libvmscan/classify/claiming.h"

namespace vmscan {
namespace {

/// A piece that the part may claim, whatever the kernel calls it: no file on disk is a runtime's heap.
bool claimable(const Pieces& pieces, const Piece& piece) {
  return pieces.free(piece) && (pieces.mapping(piece).inode == 0 || is_memfd(pieces.mapping(piece)));
}

/// Claims part by part; what touches the piece before it, with the same details, joins its region.
void claim_parts(Pieces& pieces, const Rule& rule, bool by_shape, bool native) {
  for (const RuntimePart& part : pieces.facts.runtimes) {
    if (part.by_shape != by_shape || part.native != native) continue;
    const Range range = nearest_pages(part.range, pieces.facts.target.page_size);
    const auto first = std::partition_point(pieces.pieces.begin(), pieces.pieces.end(),
                                            [&](const Piece& piece) { return piece.range.end <= range.begin; });
    for (auto i = static_cast<std::size_t>(first - pieces.pieces.begin());
         i < pieces.pieces.size() && pieces.pieces[i].range.begin < range.end; ++i) {
      Piece& piece = pieces.pieces[i];
      if (!range.contains(piece.range) || !claimable(pieces, piece)) continue;
      piece.details = !pieces.accessible(piece) ? "reserved" : part.block;
      const std::int32_t before = i > 0 && pieces.touches_next(i - 1) ? pieces.pieces[i - 1].claim : Piece::unclaimed;
      const Claim* joined = before != Piece::unclaimed ? &pieces.claims[static_cast<std::size_t>(before)] : nullptr;
      if (joined != nullptr && joined->rule == &rule && joined->details == part.details)
        piece.claim = before;
      else
        claim_group(pieces, rule, i, i + 1, part.details, part.evidence);
    }
  }
}

}  // namespace

void claim_runtimes(Pieces& pieces, const Rule& rule) { claim_parts(pieces, rule, false, false); }
void claim_runtime_allocators(Pieces& pieces, const Rule& rule) { claim_parts(pieces, rule, false, true); }
void claim_runtime_shapes(Pieces& pieces, const Rule& rule) { claim_parts(pieces, rule, true, false); }

}  // namespace vmscan
