#include "libvmscan/classify/account.h"

#include <algorithm>
#include <array>
#include <span>

namespace vmscan {
namespace {

/// Only smaps knows what shared memory has swapped out.
Bytes swapped_of(const Pieces& pieces, const Piece& piece, const PageCounts& counts) {
  const Mapping& mapping = pieces.mapping(piece);
  const bool maybe_shared_memory = mapping.shared || mapping.inode != 0;
  if (!maybe_shared_memory) return counts.swapped;
  if (mapping.smaps && mapping.smaps->swap && piece.range == mapping.range) return mapping.smaps->swap;
  return pieces.facts.shared_swap_unknown && mapping.shared ? Bytes{} : Bytes{counts.swapped};
}

/// The part of Mapping::own_data that lies in the piece; unknown when only some of the mapping is the process's own,
/// and it was cut.
Bytes own_data_of(const Mapping& mapping, const Piece& piece) {
  if (piece.range == mapping.range || mapping.own_data == Bytes{0}) return mapping.own_data;
  return mapping.own_data == Bytes{mapping.range.size()} ? Bytes{piece.range.size()} : Bytes{};
}

Bytes committed_of(const Pieces& pieces, const Piece& piece, const std::optional<PageCounts>& counts) {
  if (pieces.accessible(piece)) return piece.range.size();
  return counts ? Bytes{counts->in_ram() + counts->swapped} : own_data_of(pieces.mapping(piece), piece);
}

Bytes private_of(const Pieces& pieces, const Piece& piece, const std::optional<PageCounts>& counts) {
  const Mapping& mapping = pieces.mapping(piece);
  if (!mapping.rights_known || (mapping.write && !mapping.sharing_known)) return {};
  if (mapping.shared) return 0;
  if (mapping.write && !piece.guard) return piece.range.size();
  if (counts) return pieces.facts.sharing_known ? Bytes{counts->anonymous()} : Bytes{};
  return own_data_of(mapping, piece);
}

Bytes locked_of(const Pieces& pieces, const Piece& piece, Bytes total_ws) {
  if (!pieces.facts.locked_known) return {};
  const Mapping& mapping = pieces.mapping(piece);
  if (pieces.facts.kernel.locked == Bytes{0}) return 0;
  if (!mapping.smaps) return {};
  return mapping.smaps->vm_locked ? total_ws : Bytes{0};
}

Usage usage_of(const Pieces& pieces, const Piece& piece) {
  const std::optional<PageCounts> counts = pages_of(pieces, piece);
  Usage usage;
  usage.committed = committed_of(pieces, piece, counts);
  usage.private_bytes = private_of(pieces, piece, counts);
  if (!counts) return usage;
  usage.total_ws = counts->in_ram();
  if (pieces.facts.sharing_known) {
    usage.private_ws = counts->anonymous_exclusive;
    usage.shareable_ws = counts->in_ram() - counts->anonymous_exclusive;
    usage.shared_ws = counts->anonymous_shared + counts->file_shared;
  }
  usage.locked_ws = locked_of(pieces, piece, usage.total_ws);
  usage.swap = swapped_of(pieces, piece, *counts);
  usage.hugetlb = counts->hugetlb;
  return usage;
}

struct SmapsColumn {
  Bytes SmapsFacts::*from;
  Bytes Usage::*to;
  Bytes Usage::*weight;  // by which a cut mapping is shared out
};

constexpr std::array<SmapsColumn, 5> smaps_columns{{
    {&SmapsFacts::pss, &Usage::pss, &Usage::total_ws},
    {&SmapsFacts::dirty, &Usage::dirty, &Usage::total_ws},
    {&SmapsFacts::referenced, &Usage::referenced, &Usage::total_ws},
    {&SmapsFacts::huge, &Usage::huge, &Usage::total_ws},
    {&SmapsFacts::swap_pss, &Usage::swap_pss, &Usage::swap},
}};

/// Shares `whole` out over the parts in proportion to their weights, so that it still adds up.
void apportion(Bytes whole, std::span<Usage> parts, const SmapsColumn& column) {
  unsigned __int128 all = 0, before = 0;
  for (const Usage& part : parts) {
    if (!(part.*column.weight).known()) return;
    all += *(part.*column.weight);
  }
  std::uint64_t given = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    before += *(parts[i].*column.weight);
    const bool last = i + 1 == parts.size();
    const auto up_to = last ? *whole : all == 0 ? 0 : static_cast<std::uint64_t>(*whole * before / all);
    parts[i].*column.to = up_to - given;
    given = up_to;
  }
}

void add_smaps_columns(const Mapping& mapping, std::span<Usage> parts) {
  for (const SmapsColumn& column : smaps_columns) {
    const Bytes whole = (*mapping.smaps).*column.from;
    if (whole) apportion(whole, parts, column);
  }
}

}  // namespace

std::optional<PageCounts> pages_of(const Pieces& pieces, const Piece& piece) {
  const Mapping& mapping = pieces.mapping(piece);
  if (mapping.counted) return piece.range == mapping.range ? std::optional(*mapping.counted) : std::nullopt;
  if (!pieces.facts.pages_known) return std::nullopt;
  return pieces.facts.pages.count(piece.range);
}

State state_of(const Pieces& pieces, const Piece& piece) {
  return pieces.accessible(piece) ? State::Committed : State::Reserved;
}

Protection protection_of(const Pieces& pieces, const Piece& piece) {
  const Mapping& mapping = pieces.mapping(piece);
  return {.read = mapping.read,
          .write = mapping.write,
          .execute = mapping.execute,
          .copy_on_write = mapping.write && !mapping.shared && mapping.inode != 0,
          .guard = piece.guard};
}

Accounts::Accounts(const Pieces& pieces) : pieces_(pieces) {
  const bool smaps_read =
      std::ranges::any_of(pieces.facts.mappings, [](const Mapping& mapping) { return mapping.smaps != nullptr; });
  if (smaps_read) share_out_smaps();
}

void Accounts::share_out_smaps() {
  const std::vector<Piece>& pieces = pieces_.pieces;
  usages_.reserve(pieces.size());
  for (const Piece& piece : pieces) usages_.push_back(usage_of(pieces_, piece));
  for (std::size_t begin = 0; begin < pieces.size();) {
    const std::uint32_t index = pieces[begin].mapping;
    std::size_t end = begin + 1;
    while (end < pieces.size() && pieces[end].mapping == index) ++end;
    if (pieces_.facts.mappings[index].smaps) {
      add_smaps_columns(pieces_.facts.mappings[index], std::span(usages_).subspan(begin, end - begin));
      apportioned_ += end - begin > 1;
    }
    begin = end;
  }
}

Usage Accounts::of(std::size_t index) const {
  return usages_.empty() ? usage_of(pieces_, pieces_.pieces[index]) : usages_[index];
}

bool Accounts::smaps_known() const {
  return std::ranges::any_of(usages_, [](const Usage& usage) { return usage.pss.known(); });
}

}  // namespace vmscan
