#include "libvmscan/source/elf/core_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "libvmscan/elf/elf_layout.h"
#include "libvmscan/source/elf/core_images.h"
#include "libvmscan/source/elf/core_mappings.h"
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

  /// How many mappings have only the beginning of their path, as all paths together are too long.
  std::size_t names_cut() const { return names_cut_; }
  /// One for each mapping.
  const std::vector<Dumped>& dumped() const { return dumped_; }

 private:
  void add_file_only(const CoreFileMapping& file, Range range) {
    range.begin = std::max(range.begin, covered_);
    if (range.empty()) return;
    Mapping mapping;
    mapping.range = range;
    mapping.read = true;
    name(mapping, file);
    mapping.own_data = 0;
    dumped_.push_back({.bytes = 0, .named_only = true});
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
      mapping.own_data = 0;
    } else {
      mapping.own_data = dumped;
    }
    dumped_.push_back({.bytes = dumped, .named_only = false});
    mappings_.push_back(std::move(mapping));
  }

  void name(Mapping& mapping, const CoreFileMapping& file) {
    mapping.offset = file.offset + (mapping.range.begin - file.range.begin);
    std::string_view path = file.path;
    mapping.deleted = path.ends_with(deleted_suffix);
    if (mapping.deleted) path.remove_suffix(deleted_suffix.size());
    if (path.size() > names_left_ && path.size() > short_name) {
      path = path.substr(0, short_name);
      ++names_cut_;
    }
    names_left_ -= std::min<std::size_t>(names_left_, path.size());
    mapping.path = path;
    mapping.inode = numbers_.try_emplace(file.path, numbers_.size() + 1).first->second;  // stands for the file
  }

  const CoreFile& core_;
  std::vector<Mapping> mappings_;
  std::vector<Dumped> dumped_;
  std::map<std::string, std::uint64_t> numbers_;
  Address covered_ = 0;
  // One long name may stand for thousands of mappings.
  static constexpr std::size_t most_name_bytes = 16 << 20, short_name = 255;
  std::size_t names_left_ = most_name_bytes, names_cut_ = 0;
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

struct SettledNote {
  std::uint64_t Settled::*count;
  std::string_view code, text;  // the text follows the count
};

constexpr std::array<SettledNote, 10> settled_notes{{
    {&Settled::unverified, "core_images_unverified",
     "images have no header in the core: their segments are those of the files of the same path, which fit but may be "
     "others"},
    {&Settled::by_headers, "core_rights_inferred",
     "mappings of images are only named in the core: their protections follow from ELF headers"},
    {&Settled::without_rights, "core_rights_unknown",
     "mappings of files are only named in the core: their protections and Private are unknown"},
    {&Settled::without_sharing, "core_sharing_unknown",
     "writable mappings of files may be shared or private, a core does not tell: their Private is unknown"},
    {&Settled::without_own_data, "core_private_unknown",
     "read-only mappings of files were dumped, and the files that would tell what the process changed are not here "
     "(--sysroot names where they are): their Private is unknown"},
    {&Settled::not_dumped, "core_private_not_dumped",
     "read-only mappings of files may have been changed, which a core without private memory (coredump_filter) does "
     "not "
     "show: their Private is unknown"},
    {&Settled::backed_kib, "core_read_from_files",
     "K that the core left out are read from files with the same build ids"},
    {&Settled::with_zeros, "core_pages_unknown",
     "private mappings that may not be written hold zeros, which may be pages or none: how much of them is Private, or "
     "Committed where they may not be read, is unknown"},
    {&Settled::left_out_kib, "core_contents_missing",
     "K of private memory that can be written were left out of the core: what they hold, and what owns them, is "
     "unknown"},
    {&Settled::inaccessible, "core_inaccessible_inferred",
     "private mappings that may only be read and hold no bytes are taken as inaccessible: gcore writes both alike"},
}};

/// gdb takes the name of a process from its first argument, although setproctitle may have put all of them there: then
/// the name is that of its last path ("profile --change").
void correct_name(const CoreFile& core, Target& target) {
  if (!core.by_debugger || target.executable.empty()) return;
  constexpr std::size_t longest_name = 15;  // TASK_COMM_LEN
  const auto base_name = [](std::string_view path) { return path.substr(path.rfind('/') + 1); };
  const std::string_view title = core.process->command_line;
  const std::string_view first = base_name(title.substr(0, title.find(' ')));
  if (first == base_name(target.executable)) target.name = first.substr(0, longest_name);
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
  if (core.process) correct_name(core, target);
}

/// "SIGSEGV", as signal(7) numbers them on every machine that is read here.
std::string signal_name(std::uint32_t number) {
  constexpr std::array<std::string_view, 32> names{"",       "HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",
                                                   "FPE",    "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM",
                                                   "STKFLT", "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",
                                                   "XCPU",   "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS"};
  return number > 0 && number < names.size() ? fmt::format("SIG{}", names[number]) : fmt::format("signal {}", number);
}

void add_notes(const CoreFile& core, const Settled& settled, Facts& facts) {
  std::vector<Note>& notes = facts.notes;
  notes.insert(notes.end(), core.notes.begin(), core.notes.end());
  notes.push_back({"core_usage",
                   "a core has no page tables: Committed and Private follow from the protections, what was in RAM is "
                   "unknown, and the Total is without Page Table"});
  if (core.signal && core.signal->address)
    notes.push_back({"core_signal", fmt::format("ended by {} at address {:#x}", signal_name(core.signal->number),
                                                *core.signal->address)});
  else if (core.signal)
    notes.push_back({"core_signal", fmt::format("dumped at {}", signal_name(core.signal->number))});
  for (const SettledNote& note : settled_notes)
    if (const std::uint64_t count = settled.*note.count; count > 0)
      notes.push_back({std::string(note.code), fmt::format("{} {}", count, note.text)});
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

CoreFacts facts_of_core(const CoreFile& core, const MemoryReader& memory, const CollectOptions& options) {
  CoreFacts out;
  Facts& facts = out.facts;
  const auto auxiliary = [&](std::uint64_t type) { return auxv_value(core.auxiliary, core.pointer_bits, type); };
  facts.entry_point = auxiliary(elf::at_entry);
  facts.initial_stack = auxiliary(elf::at_random);
  if (const auto size = auxiliary(elf::at_minsigstksz)) facts.least_signal_stack = *size;
  fill_target(core, facts);
  Union both(core);
  facts.mappings = both.run();
  if (both.names_cut() > 0)
    facts.notes.push_back(
        {"core_names_cut",
         fmt::format("the paths of {} mappings are cut: all of them together are too long", both.names_cut())});
  name_kernel_mappings(facts.mappings, auxiliary(elf::at_sysinfo_ehdr));
  CoreImages images = find_core_images(facts, memory, options);
  Settled settled = settle_mappings(core, memory, both.dumped(), images.files, out);
  settled.unverified = images.unverified;
  // A map without a single guard is gcore's where it left inaccessible memory out.
  facts.inaccessible_known = !core.by_debugger || settled.inaccessible > 0;
  facts.threads = core.threads;
  std::sort(facts.threads.begin(), facts.threads.end(), [](const Thread& a, const Thread& b) { return a.id < b.id; });
  for (Thread& thread : facts.threads)
    if (thread.id == facts.target.pid) thread.name = facts.target.name;
  facts.address_space = linux_address_space(facts.target, facts.mappings);
  drop_impossible(facts);
  facts.stack_guard_gap = 256 * facts.target.page_size;  // mm/mmap.c, unless a boot parameter says otherwise
  add_notes(core, settled, facts);
  out.files = std::move(images.files);
  return out;
}

}  // namespace vmscan
