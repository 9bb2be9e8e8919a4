// The mappings cut into pieces that each belong to one region, and the claims that rules make on them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libvmscan/model/facts.h"
#include "libvmscan/model/image_loads.h"

namespace vmscan {

struct Rule;

/// A region in the making: what a rule says of the pieces that it claims.
struct Claim {
  RegionType type = RegionType::PrivateData;
  const Rule* rule = nullptr;
  std::string details, evidence, build_id;
};

/// A text that few have: without one it takes the room of a pointer.
class RareText {
 public:
  RareText& operator=(std::string text) {
    text_ = text.empty() ? nullptr : std::make_unique<std::string>(std::move(text));
    return *this;
  }
  bool empty() const { return text_ == nullptr; }
  std::string text() const { return empty() ? std::string{} : *text_; }

 private:
  std::unique_ptr<std::string> text_;
};

/// A part of one mapping that is one block.
struct Piece {
  static constexpr std::int32_t unclaimed = -1;

  Range range;
  std::uint32_t mapping = 0;       // index into Facts::mappings
  std::int32_t claim = unclaimed;  // index into Pieces::claims
  bool guard = false;              // a guard region inside an accessible mapping
  RareText details;
};

/// The work sheet of build_snapshot(). Pieces are sorted, do not overlap and together cover all mappings.
struct Pieces {
  const Facts& facts;
  std::vector<ImageLoad> loads;
  std::vector<Piece> pieces;
  std::vector<Claim> claims;

  const Mapping& mapping(const Piece& piece) const { return facts.mappings[piece.mapping]; }
  bool free(const Piece& piece) const { return piece.claim == Piece::unclaimed; }
  /// No file, not shared; the name in brackets, if any, does not matter.
  bool anonymous(const Piece& piece) const { return mapping(piece).inode == 0 && !mapping(piece).shared; }
  /// Anonymous and not named by the kernel or the program.
  bool nameless(const Piece& piece) const { return anonymous(piece) && mapping(piece).path.empty(); }
  bool accessible(const Piece& piece) const { return mapping(piece).accessible() && !piece.guard; }
  bool touches_next(std::size_t index) const {
    return index + 1 < pieces.size() && pieces[index].range.end == pieces[index + 1].range.begin;
  }
  /// Index of the piece with the address, or pieces.size().
  std::size_t find(Address address) const;

  /// Opens a region; pieces join it by their `claim`.
  std::int32_t add_claim(Claim claim);
};

/// The pages of which `range` holds the larger part: memory that begins and ends within pages shares them.
Range nearest_pages(Range range, std::uint64_t page_size);

/// Finds the image loads and cuts the mappings where a load or a stack ends inside one and around guard regions.
Pieces cut_into_pieces(const Facts& facts);

}  // namespace vmscan
