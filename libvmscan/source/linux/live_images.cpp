// ELF headers of what is mapped, from the file as the target sees it (its root directory, so containers work), and only
// if it is still the very file that is mapped; from map_files for files that were deleted or replaced.
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "libvmscan/elf/elf_image.h"
#include "libvmscan/source/linux/live_process.h"
#include "libvmscan/source/linux/mapped_files.h"

namespace vmscan {
namespace {

struct Candidate {
  const Mapping* mapping = nullptr;  // the first one of the file
  std::size_t mappings = 0;
  bool executable = false;
};

/// Files worth opening: with executable mappings, or mapped in several parts, as a loader does.
std::map<FileKey, Candidate> find_candidates(const std::vector<Mapping>& mappings) {
  std::map<FileKey, Candidate> candidates;
  for (const Mapping& mapping : mappings) {
    if (mapping.inode == 0 || !mapping.path.starts_with('/') || may_act(mapping.path)) continue;
    Candidate& candidate = candidates[key_of(mapping)];
    if (candidate.mapping == nullptr) candidate.mapping = &mapping;
    ++candidate.mappings;
    candidate.executable |= mapping.execute;
  }
  std::erase_if(candidates, [](const auto& item) { return !item.second.executable && item.second.mappings < 2; });
  return candidates;
}

}  // namespace

void settle_deleted_names(const MappedFiles& files, std::vector<Mapping>& mappings) {
  std::map<std::pair<FileKey, std::string>, bool> really_deleted;
  for (Mapping& mapping : mappings) {
    if (!mapping.deleted || !mapping.path.starts_with('/')) continue;
    const std::string literal = mapping.path + " (deleted)";
    const auto [known, fresh] = really_deleted.try_emplace({key_of(mapping), literal}, true);
    if (fresh) known->second = !files.is_there(mapping, literal);
    if (known->second) continue;
    mapping.path = literal;
    mapping.deleted = false;
  }
}

ImagesFound find_images(const MappedFiles& files, bool sections, const std::vector<Mapping>& mappings) {
  ImagesFound found;
  std::vector<std::string> unread;
  for (const auto& [key, candidate] : find_candidates(mappings)) {
    const auto file = files.open(*candidate.mapping);
    if (!file) {
      if (candidate.executable) unread.push_back(candidate.mapping->path);
      continue;
    }
    Result<ElfImage> image = read_elf_image(file->read, {.sections = sections, .exports = true});
    if (!image) continue;  // a file of another kind
    found.images.emplace(key, std::move(*image));
  }
  if (!unread.empty())
    found.notes.push_back(
        {"images_unread",
         fmt::format("{} executable files could not be read ({}{}): their .bss and section names are missing",
                     unread.size(), unread.front(), unread.size() > 1 ? ", …" : "")});
  return found;
}

}  // namespace vmscan
