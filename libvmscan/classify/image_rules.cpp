// Images: what a loader loaded.
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/classify/claiming.h"
#include "libvmscan/classify/rules.h"
#include "libvmscan/classify/section_names.h"

namespace vmscan {
namespace {

std::string section_names(const ImageLoad& load, Range block) {
  std::vector<NamedPart> parts;
  for (const ElfSection& section : load.image->sections) {
    const auto moved = Range::make(section.range.begin + load.bias, section.range.size());
    if (moved && moved->overlaps(block)) parts.push_back({section.name, *moved});
  }
  return names_in_block(std::move(parts), block);
}

bool in_relro(const ImageLoad& load, Range block) {
  if (!load.image->relro) return false;
  const auto moved = Range::make(load.image->relro->begin + load.bias, load.image->relro->size());
  return moved && moved->overlaps(block) && block.end <= moved->end;
}

std::string segment_name(const Mapping& mapping, bool is_file) {
  if (!is_file) return ".bss";
  if (mapping.execute) return "code segment";
  return mapping.write ? "data segment" : "read-only segment";
}

std::string block_details(const Pieces& pieces, const ImageLoad& load, const Piece& piece) {
  const Mapping& mapping = pieces.mapping(piece);
  if (!mapping.accessible()) return "gap";
  std::string names = section_names(load, piece.range);
  if (names.empty()) names = segment_name(mapping, mapping.inode != 0);
  return in_relro(load, piece.range) && !mapping.write ? "RELRO " + names : names;
}

/// Whether a piece that shows no segment of the file belongs to the load: a reserved gap between its segments, for
/// which ld.so leaves the file mapped, or anonymous memory where a segment lies (.bss, or code moved to huge pages).
bool fills(const Pieces& pieces, const ImageLoad& load, const Piece& piece) {
  const Mapping& mapping = pieces.mapping(piece);
  if (!pieces.free(piece) || !load.span.contains(piece.range)) return false;
  if (!mapping.accessible())
    return pieces.nameless(piece) || key_of(mapping) == key_of(pieces.facts.mappings[load.members.front()]);
  if (!pieces.anonymous(piece)) return false;
  return std::any_of(load.segments.begin(), load.segments.end(),
                     [&](Range segment) { return segment.contains(piece.range); });
}

void claim_load(Pieces& pieces, const ImageLoad& load, const Rule& rule) {
  const Mapping& first = pieces.facts.mappings[load.members.front()];
  const std::int32_t claim =
      pieces.add_claim({.type = rule.type,
                        .rule = &rule,
                        .details = path_of(first),
                        .evidence = fmt::format("{} of {} segments at bias {:#x}", load.segments_mapped,
                                                load.image->segments.size(), load.bias),
                        .build_id = load.image->build_id});
  std::size_t index = pieces.find(first.range.begin);
  std::size_t member = 0;
  for (; index < pieces.pieces.size(); ++index) {
    Piece& piece = pieces.pieces[index];
    while (member < load.members.size() && load.members[member] < piece.mapping) ++member;
    const bool of_file = member < load.members.size() && load.members[member] == piece.mapping;
    const bool behind = member == load.members.size();
    const bool joins = of_file || fills(pieces, load, piece);
    if (behind && (!joins || pieces.pieces[index - 1].range.end != piece.range.begin)) break;
    if (!joins || !pieces.free(piece)) continue;
    piece.claim = claim;
    piece.details = block_details(pieces, load, piece);
  }
}

}  // namespace

void claim_kernel_code(Pieces& pieces, const Rule& rule) {
  claim_each(pieces, rule, [](const Mapping& mapping) {
    return mapping.path == "[vdso]" || mapping.path == "[uprobes]" || mapping.path == "[sigpage]" ||
           mapping.path == "[vectors]";
  });
}

void claim_elf_loads(Pieces& pieces, const Rule& rule) {
  for (const ImageLoad& load : pieces.loads) claim_load(pieces, load, rule);
}

void claim_executable_files(Pieces& pieces, const Rule& rule) {
  const auto same_file = [&](const Piece& a, const Piece& b) {
    return pieces.mapping(b).inode != 0 && key_of(pieces.mapping(a)) == key_of(pieces.mapping(b));
  };
  for_each_unclaimed_group(pieces, same_file, [&](std::size_t begin, std::size_t end) {
    const Mapping& first = pieces.mapping(pieces.pieces[begin]);
    bool executable = false;
    for (std::size_t i = begin; i < end; ++i) executable |= pieces.mapping(pieces.pieces[i]).execute;
    const bool on_disk = first.inode != 0 && first.path.starts_with('/') && !is_memfd(first) &&
                         !first.path.starts_with("/dev/") && !first.path.starts_with("/SYSV");
    if (executable && on_disk) claim_group(pieces, rule, begin, end, path_of(first));
  });
}

}  // namespace vmscan
