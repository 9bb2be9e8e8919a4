// What the rules have in common: claiming pieces one by one or in groups that touch.
#pragma once

#include <string>
#include <utility>

#include "libvmscan/classify/pieces.h"
#include "libvmscan/classify/rules.h"

namespace vmscan {

/// Go puts its heap there, in arenas of 64 MiB (runtime/malloc.go).
inline constexpr Range go_heap{0xc000000000, 0x10000000000};

/// Made by memfd_create: the kernel calls all of them deleted, which tells them from a file with such a name.
inline bool is_memfd(const Mapping& mapping) {
  return mapping.inode != 0 && mapping.deleted && mapping.path.starts_with("/memfd:");
}

/// The path as maps prints it, with " (deleted)" where the file is.
inline std::string path_of(const Mapping& mapping) {
  return mapping.deleted ? mapping.path + " (deleted)" : mapping.path;
}

/// Claims the pieces [begin, end) as one region.
inline void claim_group(Pieces& pieces, const Rule& rule, std::size_t begin, std::size_t end, std::string details,
                        std::string evidence = {}) {
  const std::int32_t claim = pieces.add_claim({.type = rule.type,
                                               .rule = &rule,
                                               .details = std::move(details),
                                               .evidence = std::move(evidence),
                                               .build_id = {}});
  for (std::size_t i = begin; i < end; ++i) pieces.pieces[i].claim = claim;
}

/// Calls `group(begin, end)` for each run of unclaimed pieces that touch and in which `joins(previous, next)` holds.
template <class Joins, class Group>
void for_each_unclaimed_group(Pieces& pieces, Joins joins, Group group) {
  for (std::size_t begin = 0; begin < pieces.pieces.size();) {
    std::size_t end = begin + 1;
    if (pieces.free(pieces.pieces[begin])) {
      while (pieces.touches_next(end - 1) && pieces.free(pieces.pieces[end]) &&
             joins(pieces.pieces[end - 1], pieces.pieces[end]))
        ++end;
      group(begin, end);
    }
    begin = end;
  }
}

/// Whether `b` goes on where `a` ends in the same file, or in the same mapping.
inline bool continues(const Pieces& pieces, const Piece& a, const Piece& b) {
  if (a.mapping == b.mapping) return true;
  const Mapping &first = pieces.mapping(a), &second = pieces.mapping(b);
  return first.inode != 0 && key_of(first) == key_of(second) && first.path == second.path &&
         first.offset + (b.range.begin - first.range.begin) == second.offset + (b.range.begin - second.range.begin);
}

/// Claims the mappings for which `is(mapping)` holds, those of one file that go on together as one region.
template <class Is>
void claim_each(Pieces& pieces, const Rule& rule, Is is) {
  const auto joins = [&](const Piece& a, const Piece& b) { return continues(pieces, a, b); };
  for_each_unclaimed_group(pieces, joins, [&](std::size_t begin, std::size_t end) {
    const Mapping& first = pieces.mapping(pieces.pieces[begin]);
    if (is(first)) claim_group(pieces, rule, begin, end, path_of(first));
  });
}

}  // namespace vmscan
