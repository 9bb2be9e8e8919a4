#include "libvmscan/classify/allocation_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "libvmscan/classify/section_names.h"
#include "libvmscan/classify/thread_label.h"

namespace vmscan {
namespace {

using enum RegionType;

void claim(Allocation& allocation, const AllocationRule& rule, std::string details, std::string evidence = {}) {
  allocation.rule = &rule;
  allocation.details = std::move(details);
  allocation.evidence = std::move(evidence);
}

/// The module that the loader loaded where the allocation begins.
const LoadedModule* module_of(const AllocationSheet& sheet, const Allocation& allocation) {
  const std::vector<LoadedModule>& modules = sheet.facts.allocations->modules;
  const auto at = std::partition_point(modules.begin(), modules.end(), [&](const LoadedModule& module) {
    return module.range.end <= allocation.range.begin;
  });
  return at != modules.end() && at->range.contains(allocation.range.begin) ? &*at : nullptr;
}

void name_sections(AllocationSheet& sheet, const Allocation& allocation, const LoadedModule& module) {
  std::vector<NamedPart> parts;
  for (const ImageSection& section : module.sections) parts.push_back({section.name, section.range});
  if (parts.empty()) return;
  for (std::size_t i = allocation.begin; i < allocation.end; ++i)
    sheet.details[i] = names_in_block(parts, sheet.pages[i].range);
}

void claim_images(AllocationSheet& sheet, const AllocationRule& rule, AllocationKind kind) {
  for (Allocation& allocation : sheet.allocations) {
    const LoadedModule* module = module_of(sheet, allocation);
    const bool explains = allocation.kind == kind && (kind == AllocationKind::Image || module != nullptr);
    if (allocation.rule != nullptr || !explains) continue;
    claim(allocation, rule, module != nullptr ? module->path : "");
    if (module == nullptr) continue;
    allocation.evidence = fmt::format("listed as a module at {:#x}", module->range.begin);
    allocation.build_id = module->build_id;
    name_sections(sheet, allocation, *module);
  }
}

void claim_image_memory(AllocationSheet& sheet, const AllocationRule& rule) {
  claim_images(sheet, rule, AllocationKind::Image);
}
void claim_listed_modules(AllocationSheet& sheet, const AllocationRule& rule) {
  claim_images(sheet, rule, AllocationKind::Unknown);
}

/// A stack ends where its thread says; a thread that runs on other memory (a fiber's) has its stack pointer there.
void claim_stacks(AllocationSheet& sheet, const AllocationRule& rule) {
  std::map<std::size_t, std::size_t> further;  // threads of an allocation beside its first
  for (const ThreadMemory& memory : sheet.facts.allocations->threads) {
    if (!memory.stack || memory.stack->empty()) continue;
    const std::size_t index = sheet.find(memory.stack->end - 1);
    if (index == sheet.allocations.size()) continue;
    Allocation& allocation = sheet.allocations[index];
    const bool may_be = allocation.kind == AllocationKind::Private || allocation.kind == AllocationKind::Unknown;
    const std::string label = thread_label(sheet.facts.threads, memory.id);
    if (allocation.rule == nullptr && may_be)
      claim(allocation, rule, label, memory.evidence);
    else if (allocation.rule == &rule)
      add_thread(allocation.details, further[index], label);
  }
  for (const auto& [index, count] : further) add_unnamed_threads(sheet.allocations[index].details, count);
}

void claim_heaps(AllocationSheet& sheet, const AllocationRule& rule) {
  for (const HeapSegment& heap : sheet.facts.allocations->heaps) {
    const std::size_t index = sheet.find(heap.base);
    if (index == sheet.allocations.size() || sheet.allocations[index].rule != nullptr ||
        sheet.allocations[index].kind == AllocationKind::Mapped)
      continue;
    claim(sheet.allocations[index], rule, heap.heap ? fmt::format("Heap ID: {}", *heap.heap) : "Heap", heap.evidence);
  }
}

void claim_mapped_files(AllocationSheet& sheet, const AllocationRule& rule) {
  for (Allocation& allocation : sheet.allocations) {
    if (allocation.rule != nullptr || allocation.kind != AllocationKind::Mapped) continue;
    const auto name = sheet.facts.allocations->file_names.find(allocation.base);
    if (name != sheet.facts.allocations->file_names.end()) claim(allocation, rule, name->second);
  }
}

template <AllocationKind kind>
void claim_rest(AllocationSheet& sheet, const AllocationRule& rule) {
  for (Allocation& allocation : sheet.allocations)
    if (allocation.rule == nullptr && allocation.kind == kind) claim(allocation, rule, "");
}

constexpr std::array<AllocationRule, 8> table{{
    {"image_memory", Image, "the loader mapped it as an image (MEM_IMAGE)", claim_image_memory},
    {"listed_module", Image, "the list of loaded modules names it", claim_listed_modules},
    {"thread_stack", Stack, "a thread's stack lies in it", claim_stacks},
    {"heap_segment", Heap, "the process lists it as a heap, or it begins with the signature of one", claim_heaps},
    {"section_of_file", MappedFile, "a section (MEM_MAPPED) of a file", claim_mapped_files},
    {"section", Shareable, "a section (MEM_MAPPED) of which no file is known", claim_rest<AllocationKind::Mapped>},
    {"private_memory", PrivateData, "private memory (MEM_PRIVATE) that no other rule explains",
     claim_rest<AllocationKind::Private>},
    {"dumped_memory", PrivateData, "memory of which a dump holds bytes and does not tell what they are",
     claim_rest<AllocationKind::Unknown>},
}};

}  // namespace

std::span<const AllocationRule> allocation_rules() { return table; }

std::size_t AllocationSheet::find(Address address) const {
  const auto at = std::partition_point(allocations.begin(), allocations.end(),
                                       [&](const Allocation& each) { return each.range.end <= address; });
  return at != allocations.end() && at->range.contains(address) ? static_cast<std::size_t>(at - allocations.begin())
                                                                : allocations.size();
}

std::size_t AllocationSheet::find_pages(Address address) const {
  const auto at = std::partition_point(pages.begin(), pages.end(),
                                       [&](const AllocationPages& each) { return each.range.end <= address; });
  return at != pages.end() && at->range.contains(address) ? static_cast<std::size_t>(at - pages.begin()) : pages.size();
}

}  // namespace vmscan
