// Allocations from a minidump: from MemoryInfoList, or else from what its other lists prove.
#include <fmt/format.h>

#include <algorithm>

#include "libvmscan/base/range_list.h"
#include "libvmscan/source/minidump/minidump_facts.h"
#include "libvmscan/source/windows/layout/memory_constants.h"
#include "libvmscan/source/windows/layout/pe_image.h"
#include "libvmscan/source/windows/layout/process_blocks.h"

namespace vmscan {
namespace {

constexpr std::size_t most_sections = 96;  // what the loader of Windows takes
constexpr std::size_t section_header_bytes = 40;

/// Modules with the sections that their headers tell, where the dump holds these. A dump cannot hold more section
/// headers than fit in it, however many modules point to the same ones.
std::vector<LoadedModule> modules_of(const MinidumpFile& dump, const MemoryReader& memory, Facts& facts) {
  std::vector<LoadedModule> modules = dump.modules;
  for (LoadedModule& module : modules) module.range = whole_pages(module.range, facts.target.page_size);
  if (const std::size_t cut = untangle(modules, [](LoadedModule&, std::uint64_t) {}); cut > 0)
    facts.notes.push_back({"minidump_modules_overlap", fmt::format("{} modules overlap others and were cut", cut)});
  if (dump.target.system != "windows") return modules;
  std::uint64_t bytes_held = 0;
  for (const DumpedMemory& piece : dump.memory) bytes_held += piece.held;
  std::uint64_t budget = bytes_held / section_header_bytes;
  for (LoadedModule& module : modules) {
    const auto image = read_pe_image(memory, module.range.begin, std::min<std::uint64_t>(most_sections, budget));
    if (!image) continue;
    module.sections = sections_in_memory(*image, module.range);
    budget -= std::min<std::uint64_t>(budget, image->sections.size());
  }
  return modules;
}

ThreadMemory memory_of(const DumpedThread& thread, const MemoryReader& memory, const Target& target,
                       Allocations& allocations) {
  ThreadMemory found{.id = thread.thread.id, .stack = {}, .stack_limit = {}, .evidence = {}, .teb = {}};
  const unsigned bits = target.pointer_bits.value_or(64);
  const auto block =
      target.system == "windows" ? read_thread_block(memory, thread.teb, bits) : std::optional<ThreadBlock>();
  if (block) {
    found.stack = Range{block->stack_reserve.value_or(block->stack_limit), block->stack_base};
    found.stack_limit = block->stack_limit;
    found.evidence = fmt::format("the TEB at {:#x} says so", thread.teb);
    found.teb = thread.teb;
    if (!allocations.peb) allocations.peb = block->peb;
  } else if (!thread.stack_bytes.empty()) {
    found.stack = thread.stack_bytes;
    found.evidence = "the list of threads says so";
  } else if (thread.thread.stack_pointer) {
    found.stack = Range::make(*thread.thread.stack_pointer, 1);
    found.evidence = fmt::format("stack pointer {:#x}", *thread.thread.stack_pointer);
  }
  // Windows tells where the block is even where it was not dumped.
  if (!found.teb && target.system == "windows" && thread.teb != 0) found.teb = thread.teb;
  return found;
}

void add_heaps(const MinidumpFile& dump, const MemoryReader& memory, Allocations& allocations) {
  if (dump.target.system != "windows") return;
  const unsigned bits = dump.target.pointer_bits.value_or(64);
  const std::vector<Address> heaps =
      allocations.peb ? read_heap_list(memory, *allocations.peb, bits) : std::vector<Address>();
  std::optional<Address> last;
  for (const AllocationPages& pages : allocations.pages) {
    const bool may_be = pages.kind == AllocationKind::Private || pages.kind == AllocationKind::Unknown;
    if (!may_be || pages.state == State::Free || last == pages.allocation_base) continue;
    last = pages.allocation_base;
    if (auto segment = heap_segment_at(memory, pages.allocation_base, bits, heaps))
      allocations.heaps.push_back(std::move(*segment));
  }
}

/// Whether the records leave no address out from the first on, which then is the beginning of the address space.
bool continuous(const std::vector<AllocationPages>& pages) {
  if (pages.empty() || pages.front().range.begin > windows_granularity) return false;
  for (std::size_t i = 1; i < pages.size(); ++i)
    if (pages[i].range.begin > pages[i - 1].range.end) return false;
  return true;
}

void add_proven_pages(const MinidumpFile& dump, Facts& facts) {
  Allocations& allocations = *facts.allocations;
  allocations.pages = proven_pages(dump, allocations, facts.target.page_size);
  facts.notes.push_back(
      {"minidump_partial_map",
       "the dump has no map of the address space (a stream MemoryInfoList or LinuxMaps): shown is "
       "what its lists of modules, threads and memory prove; the rest, and what is free, is unknown"});
  const auto by_headers = std::count_if(allocations.modules.begin(), allocations.modules.end(),
                                        [](const LoadedModule& module) { return !module.sections.empty(); });
  if (by_headers > 0)
    facts.notes.push_back({"minidump_protections_inferred",
                           fmt::format("the protections of {} images follow from their PE headers, as the loader sets "
                                       "them: the dump does not tell of later changes",
                                       by_headers)});
}

void add_memory_info(const MinidumpFile& dump, Facts& facts) {
  Allocations& allocations = *facts.allocations;
  allocations.pages = dump.memory_info;
  std::stable_sort(allocations.pages.begin(), allocations.pages.end(),
                   [](const AllocationPages& a, const AllocationPages& b) { return a.range.begin < b.range.begin; });
  if (dump.memory_info_whole && continuous(allocations.pages)) {
    facts.address_space = Range{0, allocations.pages.back().range.end};
    if (dump.target.system == "windows") allocations.granularity = windows_granularity;
  } else {
    facts.notes.push_back({"minidump_free_unknown",
                           "the MemoryInfoList of the dump does not tell of all addresses: what of them is free is "
                           "unknown"});
  }
}

}  // namespace

void add_allocations(const MinidumpFile& dump, const MemoryReader& memory, Facts& facts) {
  Allocations& allocations = facts.allocations.emplace();
  allocations.modules = modules_of(dump, memory, facts);
  for (const DumpedThread& thread : dump.threads)
    allocations.threads.push_back(memory_of(thread, memory, facts.target, allocations));
  if (dump.has_memory_info && !dump.memory_info.empty()) {
    add_memory_info(dump, facts);
  } else {
    add_proven_pages(dump, facts);
  }
  add_heaps(dump, memory, allocations);
}

}  // namespace vmscan
