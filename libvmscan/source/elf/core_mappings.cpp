#include "libvmscan/source/elf/core_mappings.h"

#include <algorithm>

namespace vmscan {
namespace {

/// What can only be mapped shared (mm/shmem.c, ipc/shm.c), and devices.
bool always_shared(const Mapping& mapping) {
  const std::string& path = mapping.path;
  const bool shared_anonymous = path == "/dev/zero" && mapping.deleted;
  const bool device = path.starts_with("/dev/") && !path.starts_with("/dev/shm/") && path != "/dev/zero";
  return shared_anonymous || device || path.starts_with("/SYSV") || path.starts_with("/[aio]");
}

/// Whether the mapping lies between the segments of the image whose header `header` maps. ld.so takes all rights from
/// such a gap (elf/dl-map-segments.h of glibc).
bool in_gap(const Mapping& mapping, const ElfImage& image, const Mapping& header) {
  if (key_of(header) != key_of(mapping)) return false;
  bool below = false, above = false;
  for (const ElfSegment& segment : image.segments) {
    const Address offset = segment.address / 4096 * 4096 - image.segments.front().address / 4096 * 4096;
    const Address begin = header.range.begin + offset;
    const auto range = Range::make(begin, segment.address % 4096 + segment.memory_size);
    if (!range || range->overlaps(mapping.range)) return false;
    below |= range->end <= mapping.range.begin;
    above |= range->begin >= mapping.range.end;
  }
  return below && above;
}

/// What only NT_FILE names has the rights that its ELF header gives it. Of other files nobody knows.
void settle_rights(Mapping& mapping, const ElfImage* image, const Mapping* header, Settled& settled) {
  mapping.rights_known = false;
  if (image != nullptr && header != nullptr && in_gap(mapping, *image, *header)) {
    mapping.read = mapping.write = mapping.execute = false;
    mapping.rights_known = true;
  } else if (image != nullptr) {
    for (const ElfSegment& segment : image->segments) {
      if (segment.offset / 4096 * 4096 > mapping.offset || mapping.offset >= segment.offset + segment.file_size)
        continue;
      mapping.execute = segment.execute;
      mapping.rights_known = true;
    }
  }
  ++(mapping.rights_known ? settled.by_headers : settled.without_rights);
}

/// Loaders map the writable segments of images private. Any other writable file may be either: the kernel dumps both
/// kinds or neither, depending on coredump_filter, on whether the file was deleted, and on whether it was written to.
void settle_sharing(Mapping& mapping, const ElfImage* image, Settled& settled) {
  if (image != nullptr) return;
  mapping.shared = true;
  if (always_shared(mapping)) return;
  mapping.sharing_known = false;
  ++settled.without_sharing;
}

/// What was dumped of a file that may not be written was changed before (RELRO), or the filter asked for all of it.
/// The file on disk knows; the first page is there for its ELF header.
void settle_own_data(const CoreFile& core, const MemoryReader& memory, std::uint64_t dumped, const DiskFile* file,
                     std::uint64_t page_size, Mapping& mapping, Settled& settled) {
  const auto range = Range::make(mapping.range.begin, dumped);
  if (file != nullptr && range) {
    mapping.own_data = changed_bytes(memory, *range, file->bytes, mapping.offset, page_size);
  } else if (mapping.offset != 0 || dumped > page_size || core.by_debugger) {
    mapping.own_data = Bytes{};
  }
  settled.without_own_data += !mapping.own_data.known();
}

/// gcore (seen with gdb 13) writes inaccessible memory as readable. Private memory without a file that may only be read
/// is rare, guards and reserved address space are not; those hold no bytes, V8's read-only heap does.
void take_rights_back(const MemoryReader& memory, Mapping& mapping, Settled& settled) {
  const bool read_only = mapping.read && !mapping.write && !mapping.execute;
  if (!mapping.path.empty() || !read_only || holds_anything(memory, mapping.range)) return;
  mapping.read = false;
  mapping.own_data = 0;
  ++settled.inaccessible;
}

/// Memory that may not be written any more counts by its pages. The kernel dumps absent ones as zeros.
void settle_anonymous(const MemoryReader& memory, std::uint64_t dumped, std::uint64_t page_size, Mapping& mapping,
                      Settled& settled) {
  if (mapping.write || !mapping.path.empty() || mapping.own_data == Bytes{0}) return;
  const auto range = Range::make(mapping.range.begin, dumped);
  if (range && every_page_holds_something(memory, *range, page_size)) return;
  mapping.own_data = Bytes{};
  ++settled.with_zeros;
}

/// Whether private memory was asked for at all (coredump_filter): a file that may not be written and was not dumped was
/// not changed then.
bool holds_private_memory(const std::vector<Mapping>& mappings, const std::vector<Dumped>& dumped) {
  for (std::size_t i = 0; i < mappings.size(); ++i)
    if (mappings[i].inode == 0 && mappings[i].write && dumped[i].bytes > 0) return true;
  return false;
}

/// What the file gives of a mapping, behind what was dumped of it. A core may map a file again and again, and beyond
/// its end: few times are enough for every loader.
std::optional<FileBacking> backing_of(const Mapping& mapping, std::uint64_t dumped, const FileBytes& file,
                                      std::uint64_t& backed) {
  constexpr std::uint64_t most_times = 8;
  const auto offset = Range::make(mapping.offset, dumped);
  if (!offset || offset->end >= file.size) return std::nullopt;
  const std::uint64_t size = std::min(mapping.range.size() - dumped, file.size - offset->end);
  if (size > file.size * most_times - backed) return std::nullopt;
  backed += size;
  const Address begin = mapping.range.begin + dumped;
  return FileBacking{.range = {begin, begin + size}, .offset = offset->end, .file = file};
}

}  // namespace

Settled settle_mappings(const CoreFile& core, const MemoryReader& memory, const std::vector<Dumped>& dumped,
                        const std::map<FileKey, DiskFile>& files, CoreFacts& out) {
  Settled settled;
  const bool private_memory = holds_private_memory(out.facts.mappings, dumped);
  std::map<FileKey, std::uint64_t> backed;  // bytes that each file gives
  const Mapping* header = nullptr;          // the last beginning of a file
  for (std::size_t i = 0; i < out.facts.mappings.size(); ++i) {
    Mapping& mapping = out.facts.mappings[i];
    if (mapping.inode == 0) {
      if (core.by_debugger) take_rights_back(memory, mapping, settled);
      if (mapping.write) settled.left_out_kib += (mapping.range.size() - dumped[i].bytes) >> 10;
      settle_anonymous(memory, dumped[i].bytes, out.facts.target.page_size, mapping, settled);
      continue;
    }
    const auto image = out.facts.images.find(key_of(mapping));
    const ElfImage* known = image == out.facts.images.end() ? nullptr : &image->second;
    const auto file = files.find(key_of(mapping));
    const DiskFile* on_disk = file == files.end() ? nullptr : &file->second;
    if (mapping.offset == 0) header = &mapping;
    if (dumped[i].named_only) settle_rights(mapping, known, header, settled);
    if (mapping.write) settle_sharing(mapping, known, settled);
    if (!mapping.write && dumped[i].bytes > 0) {
      settle_own_data(core, memory, dumped[i].bytes, on_disk, out.facts.target.page_size, mapping, settled);
    } else if (!mapping.write && !private_memory) {
      mapping.own_data = Bytes{};
      ++settled.not_dumped;
    }
    if (on_disk == nullptr || dumped[i].bytes >= mapping.range.size()) continue;
    if (const auto backing = backing_of(mapping, dumped[i].bytes, on_disk->bytes, backed[key_of(mapping)])) {
      out.backing.push_back(*backing);
      settled.backed_kib += backing->range.size() >> 10;
    }
  }
  return settled;
}

}  // namespace vmscan
