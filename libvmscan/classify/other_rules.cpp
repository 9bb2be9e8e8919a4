// What is left: files mapped as data, and private memory.
#include "libvmscan/classify/claiming.h"

namespace vmscan {

void claim_mapped_files(Pieces& pieces, const Rule& rule) {
  claim_each(pieces, rule, [](const Mapping& mapping) {
    const bool private_zero = mapping.path == "/dev/zero" || (mapping.path == "/anon_hugepage" && mapping.deleted);
    return mapping.inode != 0 && !private_zero;
  });
}

void claim_private_data(Pieces& pieces, const Rule& rule) {
  const auto same_name = [&](const Piece& a, const Piece& b) {
    return pieces.mapping(a).path == pieces.mapping(b).path;
  };
  for_each_unclaimed_group(pieces, same_name, [&](std::size_t begin, std::size_t end) {
    claim_group(pieces, rule, begin, end, path_of(pieces.mapping(pieces.pieces[begin])));
  });
}

}  // namespace vmscan
