// Facts from the streams of a Linux minidump that hold files of /proc.
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/base/range_list.h"
#include "libvmscan/source/elf/core_disk.h"
#include "libvmscan/source/elf/core_images.h"
#include "libvmscan/source/linux/text/address_space.h"
#include "libvmscan/source/linux/text/maps_text.h"
#include "libvmscan/source/linux/text/proc_text.h"
#include "libvmscan/source/minidump/minidump_facts.h"

namespace vmscan {
namespace {

constexpr std::size_t longest_path = 4096;             // PATH_MAX
constexpr std::uint64_t at_entry = 9, at_random = 25;  // elf.h

/// Files that have the build ids of the list of modules tell what is where in them.
void add_images(const MinidumpFile& dump, const CollectOptions& options, Facts& facts) {
  for (const LoadedModule& module : dump.modules) {
    const Mapping* mapping = item_at(facts.mappings, module.range.begin);
    if (mapping == nullptr || mapping->inode == 0 || mapping->deleted || facts.images.contains(key_of(*mapping)))
      continue;
    auto file = open_disk_image(options.file_root, mapping->path, options.sections);
    if (file && !module.build_id.empty() && file->image.build_id == module.build_id)
      facts.images.emplace(key_of(*mapping), std::move(file->image));
  }
}

/// Some writers tell the map twice. LinuxMaps is the fuller one; says how far the other agrees.
void compare_with_memory_info(const MinidumpFile& dump, Facts& facts) {
  if (!dump.has_memory_info) return;
  std::size_t agree = 0, differ = 0, only_there = 0;
  for (const AllocationPages& pages : dump.memory_info) {
    if (pages.state == State::Free) continue;
    const Mapping* mapping = item_at(facts.mappings, pages.range.begin);
    if (mapping == nullptr) {
      ++only_there;
      continue;
    }
    const bool same_rights =
        !pages.protection || (pages.protection->read == mapping->read && pages.protection->write == mapping->write &&
                              pages.protection->execute == mapping->execute);
    ++(same_rights && mapping->range.contains(pages.range) ? agree : differ);
  }
  facts.notes.push_back(
      {"minidump_map_sources",
       fmt::format("addresses, protections, sharing, files and names are from the stream LinuxMaps; of MemoryInfoList, "
                   "which holds no more, {} records agree with it, {} tell something else and {} are of addresses that "
                   "LinuxMaps does not have",
                   agree, differ, only_there)});
}

/// [vsyscall] is the kernel's own. No process has other memory beyond its address space.
void drop_impossible(Facts& facts) {
  std::erase_if(facts.mappings, [](const Mapping& mapping) { return mapping.path == "[vsyscall]"; });
  const auto space = linux_address_space(facts.target, facts.mappings);
  if (!space) return;
  const std::size_t dropped =
      std::erase_if(facts.mappings, [&](const Mapping& mapping) { return !space->contains(mapping.range); });
  if (dropped > 0)
    facts.notes.push_back(
        {"minidump_mappings_impossible",
         fmt::format("{} mappings reach beyond the address space of a process and were left out", dropped)});
}

}  // namespace

bool add_linux_facts(const MinidumpFile& dump, const MemoryReader& memory, const CollectOptions& options,
                     Facts& facts) {
  if (!dump.linux_maps) return false;
  MapsText maps = parse_maps(*dump.linux_maps);
  facts.notes.insert(facts.notes.end(), maps.notes.begin(), maps.notes.end());
  facts.mappings = std::move(maps.mappings);
  for (Mapping& mapping : facts.mappings) mapping.path.resize(std::min(mapping.path.size(), longest_path));
  drop_impossible(facts);
  if (facts.mappings.empty()) return false;
  std::stable_sort(facts.mappings.begin(), facts.mappings.end(),
                   [](const Mapping& a, const Mapping& b) { return a.range.begin < b.range.begin; });
  const unsigned bits = facts.target.pointer_bits.value_or(64);
  facts.entry_point = auxv_value(dump.linux_auxv, bits, at_entry);
  facts.initial_stack = auxv_value(dump.linux_auxv, bits, at_random);
  add_images(dump, options, facts);
  find_images_in_memory(facts, memory);
  if (dump.linux_maps_whole && maps.notes.empty())  // else what is missing would be taken for free
    facts.address_space = linux_address_space(facts.target, facts.mappings);
  compare_with_memory_info(dump, facts);
  facts.notes.push_back({"minidump_pages_unknown",
                         "the Private of mappings that may not be written, and the Committed of inaccessible ones, "
                         "depend on page tables: they are unknown, and so are sums over them"});
  return true;
}

}  // namespace vmscan
