#include "libvmscan/source/elf/core_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "libvmscan/source/elf/elf_image.h"
#include "libvmscan/source/elf/elf_layout.h"
#include "libvmscan/source/linux/text/address_space.h"
#include "libvmscan/source/linux/text/proc_text.h"

namespace vmscan {
namespace {

constexpr std::string_view deleted_suffix = " (deleted)";
constexpr Address vsyscall = 0xffffffffff600000;  // in the kernel's half; nobody's memory

std::string_view machine_name(const CoreFile& core) {
  switch (core.machine) {
    case elf::em_386:
      return "i386";
    case elf::em_x86_64:
      return "x86_64";
    case elf::em_arm:
      return "arm";
    case elf::em_aarch64:
      return "aarch64";
    case elf::em_riscv:
      return core.pointer_bits == 64 ? "riscv64" : "riscv32";
    default:
      return "";
  }
}

/// Files without a disk that only shared memory has (mm/shmem.c, ipc/shm.c), and devices.
bool always_shared(std::string_view path) {
  return path.starts_with("/dev/") || path.starts_with("/SYSV") || path.starts_with("/memfd:") ||
         path.starts_with("/[aio]");
}

/// Merges what the segments say of each address with what NT_FILE says.
class Union {
 public:
  explicit Union(const CoreFile& core) : core_(core) {}

  std::vector<Mapping> run() {
    std::size_t next = 0;
    for (const CoreSegment& segment : core_.segments) {
      if (segment.range.begin == vsyscall) continue;
      Address at = segment.range.begin;
      for (; next < core_.files.size() && core_.files[next].range.begin < segment.range.end; ++next) {
        const CoreFileMapping& file = core_.files[next];
        const Range shared = file.range.intersect({at, segment.range.end});
        if (file.range.begin < at) add_file_only(file, {file.range.begin, std::min(at, file.range.end)});
        if (shared.empty()) continue;
        if (at < shared.begin) add(segment, {at, shared.begin}, nullptr);
        add(segment, shared, &file);
        at = shared.end;
        if (file.range.end > segment.range.end) break;
      }
      if (at < segment.range.end) add(segment, {at, segment.range.end}, nullptr);
      covered_ = segment.range.end;
    }
    for (; next < core_.files.size(); ++next) add_file_only(core_.files[next], core_.files[next].range);
    return std::move(mappings_);
  }

  const std::set<std::size_t>& without_rights() const { return without_rights_; }

 private:
  void add_file_only(const CoreFileMapping& file, Range range) {
    range.begin = std::max(range.begin, covered_);
    if (range.empty()) return;
    Mapping mapping;
    mapping.range = range;
    mapping.read = true;
    name(mapping, file);
    without_rights_.insert(mappings_.size());
    mapping.own_data = 0;
    mappings_.push_back(std::move(mapping));
  }

  void add(const CoreSegment& segment, Range range, const CoreFileMapping* file) {
    Mapping mapping;
    mapping.range = range;
    mapping.read = segment.read;
    mapping.write = segment.write;
    mapping.execute = segment.execute;
    const Address dumped_to = segment.range.begin + segment.dumped;
    const std::uint64_t dumped = range.intersect({range.begin, dumped_to}).size();
    if (file != nullptr) {
      name(mapping, *file);
      // The kernel dumps a file's pages only when the process changed them; the first page for its ELF header.
      const bool changed = dumped == range.size() && mapping.offset != 0 && !mapping.execute;
      mapping.own_data = changed ? dumped : 0;
      mapping.shared = mapping.write && (always_shared(mapping.path) || (dumped == 0 && !mapping.execute));
    } else {
      mapping.own_data = dumped;
    }
    mappings_.push_back(std::move(mapping));
  }

  void name(Mapping& mapping, const CoreFileMapping& file) {
    mapping.offset = file.offset + (mapping.range.begin - file.range.begin);
    std::string_view path = file.path;
    mapping.deleted = path.ends_with(deleted_suffix);
    if (mapping.deleted) path.remove_suffix(deleted_suffix.size());
    mapping.path = path;
    mapping.inode = numbers_.try_emplace(file.path, numbers_.size() + 1).first->second;  // stands for the file
  }

  const CoreFile& core_;
  std::vector<Mapping> mappings_;
  std::set<std::size_t> without_rights_;
  std::map<std::string, std::uint64_t> numbers_;
  Address covered_ = 0;
};

/// [vdso] by the auxiliary vector; [vvar] is what touches it from below and cannot be written.
void name_kernel_mappings(std::vector<Mapping>& mappings, std::optional<std::uint64_t> vdso) {
  if (!vdso) return;
  for (std::size_t i = 0; i < mappings.size(); ++i) {
    if (mappings[i].inode != 0 || mappings[i].range.begin != *vdso) continue;
    mappings[i].path = "[vdso]";
    mappings[i].own_data = 0;
    for (std::size_t j = i; j-- > 0;) {
      Mapping& below = mappings[j];
      if (below.range.end != mappings[j + 1].range.begin || below.inode != 0 || below.write || below.execute ||
          !below.read)
        break;
      below.path = "[vvar]";
      below.own_data = 0;
    }
    return;
  }
}

std::map<FileKey, ElfImage> find_images(const std::vector<Mapping>& mappings, const MemoryReader& memory) {
  std::map<FileKey, std::vector<const Mapping*>> files;
  for (const Mapping& mapping : mappings)
    if (mapping.inode != 0) files[key_of(mapping)].push_back(&mapping);
  std::map<FileKey, ElfImage> images;
  for (const auto& [key, parts] : files) {
    const bool executable = std::any_of(parts.begin(), parts.end(), [](const Mapping* part) { return part->execute; });
    if (!executable && parts.size() < 2) continue;
    const auto image = read_elf_image(
        [&](std::uint64_t offset, std::span<std::byte> buffer) -> std::size_t {
          for (const Mapping* part : parts) {
            if (offset < part->offset || offset - part->offset >= part->range.size()) continue;
            const std::uint64_t inside = offset - part->offset;
            const auto room =
                static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), part->range.size() - inside));
            const auto count = memory.read_some(part->range.begin + inside, buffer.first(room));
            if (count && *count > 0) return *count;
          }
          return 0;
        },
        false);
    if (image) images.emplace(key, *image);
  }
  return images;
}

/// What only NT_FILE names has the rights that its ELF header gives it; other files were left out because they can be
/// read again, so they were readable.
void infer_rights(const std::set<std::size_t>& without, const std::map<FileKey, ElfImage>& images,
                  std::vector<Mapping>& mappings) {
  for (const std::size_t index : without) {
    Mapping& mapping = mappings[index];
    const auto image = images.find(key_of(mapping));
    if (image == images.end()) continue;
    for (const ElfSegment& segment : image->second.segments)
      if (segment.offset / 4096 * 4096 <= mapping.offset && mapping.offset < segment.offset + segment.file_size)
        mapping.execute = segment.execute;
  }
}

void fill_target(const CoreFile& core, Facts& facts) {
  Target& target = facts.target;
  target.kind = TargetKind::Core;
  target.system = "linux";
  target.machine = machine_name(core);
  target.pointer_bits = core.pointer_bits;
  if (core.process) {
    target.pid = core.process->pid;
    target.parent_pid = core.process->parent_pid;
    target.user_id = core.process->user_id;
    target.name = core.process->name;
    std::string_view rest = core.process->command_line;
    for (bool first = true; !rest.empty(); first = false) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      if (!first && end > 0) target.arguments.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(rest.size(), end + 1));
    }
  }
  const auto page = core.page_size ? core.page_size : auxv_value(core.auxiliary, core.pointer_bits, elf::at_pagesz);
  const bool plausible = page && *page >= 4096 && *page <= (1U << 20) && (*page & (*page - 1)) == 0;
  if (plausible) target.page_size = *page;
  for (const CoreFileMapping& file : core.files)
    if (facts.entry_point && file.range.contains(*facts.entry_point)) target.executable = file.path;
}

void add_notes(const CoreFile& core, std::size_t inferred, Facts& facts) {
  facts.notes.insert(facts.notes.end(), core.notes.begin(), core.notes.end());
  facts.notes.push_back(
      {"core_usage",
       "a core has no page tables: Committed and Private follow from the protections, and what was in "
       "RAM is unknown"});
  if (core.signal)
    facts.notes.push_back({"core_signal", core.signal->address
                                              ? fmt::format("ended by signal {} at address {:#x}", core.signal->number,
                                                            *core.signal->address)
                                              : fmt::format("dumped at signal {}", core.signal->number)});
  if (inferred > 0)
    facts.notes.push_back(
        {"core_rights_inferred",
         fmt::format("{} mappings of files are only named in the core: their protections follow from ELF headers",
                     inferred)});
  if (!facts.inaccessible_known)
    facts.notes.push_back({"core_without_inaccessible",
                           "the core tells of no inaccessible memory (gcore leaves it out): guards and reserved "
                           "address space are missing"});
}

/// gcore (seen with gdb 13) writes inaccessible memory as readable. Private memory without a file that may only be read
/// is rare, guards and reserved address space are not.
void take_rights_back(Facts& facts) {
  std::size_t taken = 0;
  for (Mapping& mapping : facts.mappings) {
    if (mapping.inode != 0 || !mapping.path.empty() || !mapping.read || mapping.write || mapping.execute) continue;
    mapping.read = false;
    mapping.own_data = 0;
    ++taken;
  }
  if (taken > 0)
    facts.notes.push_back({"core_inaccessible_inferred",
                           fmt::format("{} private mappings that may only be read are taken as inaccessible: gcore "
                                       "writes both alike",
                                       taken)});
}

/// No process has memory in the kernel's half; an image or a sum over it would mean nothing.
void drop_impossible(Facts& facts) {
  if (!facts.address_space) return;
  const std::size_t dropped = std::erase_if(
      facts.mappings, [&](const Mapping& mapping) { return !facts.address_space->contains(mapping.range); });
  if (dropped > 0)
    facts.notes.push_back(
        {"core_mappings_impossible",
         fmt::format("{} mappings reach beyond the address space of a process and were left out", dropped)});
}

}  // namespace

Facts facts_of_core(const CoreFile& core, const MemoryReader& memory) {
  Facts facts;
  const auto auxiliary = [&](std::uint64_t type) { return auxv_value(core.auxiliary, core.pointer_bits, type); };
  facts.entry_point = auxiliary(elf::at_entry);
  facts.initial_stack = auxiliary(elf::at_random);
  fill_target(core, facts);
  Union both(core);
  facts.mappings = both.run();
  if (!both.without_rights().empty()) take_rights_back(facts);
  // The kernel gives every mapping a segment; gcore leaves out files' pages as well as what may not be accessed.
  facts.inaccessible_known =
      both.without_rights().empty() || std::any_of(facts.mappings.begin(), facts.mappings.end(),
                                                   [](const Mapping& mapping) { return !mapping.accessible(); });
  name_kernel_mappings(facts.mappings, auxiliary(elf::at_sysinfo_ehdr));
  facts.images = find_images(facts.mappings, memory);
  infer_rights(both.without_rights(), facts.images, facts.mappings);
  facts.threads = core.threads;
  std::sort(facts.threads.begin(), facts.threads.end(), [](const Thread& a, const Thread& b) { return a.id < b.id; });
  for (Thread& thread : facts.threads)
    if (thread.id == facts.target.pid) thread.name = facts.target.name;
  facts.address_space = linux_address_space(facts.target, facts.mappings);
  drop_impossible(facts);
  facts.stack_guard_gap = 256 * facts.target.page_size;  // mm/mmap.c, unless a boot parameter says otherwise
  add_notes(core, both.without_rights().size(), facts);
  return facts;
}

}  // namespace vmscan
