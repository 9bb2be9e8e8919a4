#include "libvmscan/source/elf/core_images.h"

#include <algorithm>
#include <vector>

#include "libvmscan/elf/elf_image.h"

namespace vmscan {
namespace {

using Parts = std::vector<const Mapping*>;

/// What is worth looking at: mapped executable, or in several parts, as a loader does.
std::map<FileKey, Parts> find_candidates(const std::vector<Mapping>& mappings) {
  std::map<FileKey, Parts> files;
  for (const Mapping& mapping : mappings)
    if (mapping.inode != 0) files[key_of(mapping)].push_back(&mapping);
  std::erase_if(files, [](const auto& file) {
    const Parts& parts = file.second;
    return parts.size() < 2 &&
           std::none_of(parts.begin(), parts.end(), [](const Mapping* part) { return part->execute; });
  });
  return files;
}

/// Reads the file through the parts of it that are in memory.
ReadAt through_memory(const Parts& parts, const MemoryReader& memory) {
  return [&parts, &memory](std::uint64_t offset, std::span<std::byte> buffer) -> std::size_t {
    for (const Mapping* part : parts) {
      if (offset < part->offset || offset - part->offset >= part->range.size()) continue;
      const std::uint64_t inside = offset - part->offset;
      const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), part->range.size() - inside));
      const auto count = memory.read_some(part->range.begin + inside, buffer.first(room));
      if (count && *count > 0) return *count;
    }
    return 0;
  };
}

/// Whether a loader would map a part of the segment like this; rights that only follow from the segment always fit.
bool shows(const Mapping& part, const ElfSegment& segment, std::uint64_t page_size) {
  const bool inside =
      segment.offset / page_size * page_size <= part.offset && part.offset < segment.offset + segment.file_size;
  const bool rights = part.execute == segment.execute && (!part.write || segment.write);
  return inside && (rights || !part.accessible());
}

bool has_layout(const Parts& parts, const ElfImage& image, std::uint64_t page_size) {
  return std::all_of(parts.begin(), parts.end(), [&](const Mapping* part) {
    return std::any_of(image.segments.begin(), image.segments.end(),
                       [&](const ElfSegment& segment) { return shows(*part, segment, page_size); });
  });
}

}  // namespace

CoreImages find_core_images(Facts& facts, const MemoryReader& memory, const CollectOptions& options) {
  CoreImages found;
  for (const auto& [key, parts] : find_candidates(facts.mappings)) {
    const ReadAt in_memory = through_memory(parts, memory);
    const Mapping& first = *parts.front();
    std::byte header{};
    if (in_memory(0, {&header, 1}) == 0) {
      auto file = first.deleted ? std::nullopt : open_disk_image(options.file_root, first.path, options.sections);
      if (!file || !has_layout(parts, file->image, facts.target.page_size)) continue;
      file->image.build_id.clear();  // nobody knows whether it is the process's
      facts.images.emplace(key, std::move(file->image));
      ++found.unverified;
    } else if (auto image = read_elf_image(in_memory, {})) {
      auto& taken = facts.images.emplace(key, std::move(*image)).first->second;
      if (taken.build_id.empty() || first.deleted) continue;
      auto file = open_disk_image(options.file_root, first.path, options.sections);
      if (!file || file->image.build_id != taken.build_id) continue;
      taken = file->image;
      found.files.emplace(key, std::move(*file));
    }
  }
  return found;
}

void find_images_in_memory(Facts& facts, const MemoryReader& memory) {
  for (const auto& [key, parts] : find_candidates(facts.mappings)) {
    if (facts.images.contains(key)) continue;
    if (auto image = read_elf_image(through_memory(parts, memory), {})) facts.images.emplace(key, std::move(*image));
  }
}

}  // namespace vmscan
