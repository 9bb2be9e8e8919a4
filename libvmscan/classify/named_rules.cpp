// Names that programs give their anonymous memory (prctl PR_SET_VMA_ANON_NAME, Linux 5.17): "[anon:NAME]". Only the
// prefixes below are known to mean a kind of memory; any other name is shown with private data.
#include <array>
#include <optional>
#include <string_view>

#include "libvmscan/classify/claiming.h"

namespace vmscan {
namespace {

struct KnownName {
  std::string_view prefix;
  RegionType type;
};

// glibc 2.39 with glibc.mem.decorate_maps; Android's bionic, scudo and ART; Go 1.25; jemalloc; CPython 3.15; Ruby 3.5.
constexpr std::array<KnownName, 16> known_names{{
    {"glibc: pthread stack", RegionType::Stack},
    {"glibc: pthread user stack", RegionType::Stack},
    {"stack_and_tls:", RegionType::Stack},
    {"thread stack", RegionType::Stack},
    {"glibc: malloc", RegionType::Heap},
    {"glibc: loader malloc", RegionType::Heap},
    {"libc_malloc", RegionType::Heap},
    {"scudo:", RegionType::Heap},
    {"jemalloc_pg", RegionType::Heap},
    {"mimalloc", RegionType::Heap},
    {"Go: heap", RegionType::ManagedHeap},
    {"Go:", RegionType::ManagedHeap},
    {"dalvik-", RegionType::ManagedHeap},
    {"cpython:", RegionType::ManagedHeap},
    {"Ruby:", RegionType::ManagedHeap},
    {"v8", RegionType::ManagedHeap},
}};

std::optional<std::string_view> name_in(const Mapping& mapping) {
  constexpr std::string_view open = "[anon:";
  const std::string_view path = mapping.path;
  if (!path.starts_with(open) || !path.ends_with(']')) return std::nullopt;
  return path.substr(open.size(), path.size() - open.size() - 1);
}

/// Whether the prefix is all of the name, or something else than a letter or a digit goes on: "v8" is not "v8engine".
bool begins_with(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  const auto is_of_word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return name.size() == prefix.size() || !is_of_word(prefix.back()) || !is_of_word(name[prefix.size()]);
}

std::optional<RegionType> meaning(const Mapping& mapping) {
  const auto name = name_in(mapping);
  if (name)
    for (const KnownName& known : known_names)
      if (begins_with(*name, known.prefix)) return known.type;
  return std::nullopt;
}

/// Claims what is named so, with a nameless guard directly below it.
void claim_named(Pieces& pieces, const Rule& rule) {
  const auto same_name = [&](const Piece& a, const Piece& b) {
    return pieces.mapping(a).path == pieces.mapping(b).path;
  };
  for_each_unclaimed_group(pieces, same_name, [&](std::size_t begin, std::size_t end) {
    const Mapping& first = pieces.mapping(pieces.pieces[begin]);
    if (meaning(first) != rule.type) return;
    const bool guarded = rule.type == RegionType::Stack && begin > 0 && pieces.touches_next(begin - 1) &&
                         pieces.free(pieces.pieces[begin - 1]) && pieces.nameless(pieces.pieces[begin - 1]) &&
                         !pieces.accessible(pieces.pieces[begin - 1]);
    claim_group(pieces, rule, guarded ? begin - 1 : begin, end, std::string(*name_in(first)), first.path);
  });
}

}  // namespace

void claim_named_heap(Pieces& pieces, const Rule& rule) { claim_named(pieces, rule); }
void claim_named_managed_heap(Pieces& pieces, const Rule& rule) { claim_named(pieces, rule); }
void claim_named_stack(Pieces& pieces, const Rule& rule) { claim_named(pieces, rule); }

}  // namespace vmscan
