// From allocations to regions: grouping, labels of blocks, bytes, and what cannot be allocated.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "libvmscan/base/range_list.h"
#include "libvmscan/classify/allocation_rules.h"
#include "libvmscan/classify/unusable.h"

namespace vmscan {
namespace {

/// Sorts, cuts what overlaps (what begins first keeps its bytes) and drops what is free or empty. Returns how many were
/// cut.
std::size_t settle(std::vector<AllocationPages>& pages) {
  const std::size_t cut = untangle(pages, [](AllocationPages&, std::uint64_t) {});
  std::erase_if(pages, [](const AllocationPages& each) { return each.state == State::Free; });
  return cut;
}

std::vector<Allocation> group(const std::vector<AllocationPages>& pages) {
  std::vector<Allocation> allocations;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const AllocationPages& each = pages[i];
    const bool joins = !allocations.empty() && allocations.back().range.end == each.range.begin &&
                       allocations.back().base == each.allocation_base;
    if (!joins) {
      allocations.push_back({});
      allocations.back().begin = i;
      allocations.back().range.begin = each.range.begin;
      allocations.back().base = each.allocation_base;
    }
    Allocation& allocation = allocations.back();
    allocation.end = i + 1;
    allocation.range.end = each.range.end;
    if (allocation.kind == AllocationKind::Unknown) allocation.kind = each.kind;
  }
  return allocations;
}

void add_label(std::string& text, const std::string& label) { text += (text.empty() ? "" : "; ") + label; }

/// Windows keeps these blocks in private memory, many of them in one allocation.
void label_process_blocks(AllocationSheet& sheet) {
  constexpr std::size_t most_shown = 8;
  std::map<std::size_t, std::vector<std::uint32_t>> threads;  // by index of the pages
  for (const ThreadMemory& memory : sheet.facts.allocations->threads)
    if (const std::size_t at = memory.teb ? sheet.find_pages(*memory.teb) : sheet.pages.size(); at < sheet.pages.size())
      threads[at].push_back(memory.id);
  for (const auto& [at, ids] : threads) {
    std::string label = "Thread Environment Block ID: ";
    for (std::size_t i = 0; i < std::min(ids.size(), most_shown); ++i)
      label += fmt::format("{}{}", i == 0 ? "" : ", ", ids[i]);
    if (ids.size() > most_shown) label += fmt::format(" +{}", ids.size() - most_shown);
    add_label(sheet.details[at], label);
  }
  const std::optional<Address> peb = sheet.facts.allocations->peb;
  if (const std::size_t at = peb ? sheet.find_pages(*peb) : sheet.pages.size(); at < sheet.pages.size())
    add_label(sheet.details[at], "Process Environment Block");
  for (Allocation& allocation : sheet.allocations) {
    if (allocation.rule == nullptr || allocation.rule->type != RegionType::PrivateData) continue;
    for (std::size_t i = allocation.begin; i < allocation.end && allocation.details.empty(); ++i)
      allocation.details = sheet.details[i];
  }
}

/// What is charged to the commit limit: private memory; of files and images what may be written and is then the
/// process's own.
Bytes private_of(const AllocationPages& pages, const Allocation& allocation) {
  if (!pages.state) return {};
  if (*pages.state != State::Committed) return 0;
  const RegionType type = allocation.rule->type;
  const bool own = allocation.kind == AllocationKind::Private || type == RegionType::Stack || type == RegionType::Heap;
  if (own) return pages.range.size();
  if (allocation.kind == AllocationKind::Unknown && type != RegionType::Image) return {};
  if (!pages.protection) return {};
  const bool writable = type == RegionType::Image ? pages.protection->write : pages.protection->copy_on_write;
  return writable ? pages.range.size() : 0;
}

Usage usage_of(const Facts& facts, const AllocationPages& pages, const Allocation& allocation) {
  Usage usage;
  if (pages.state) usage.committed = *pages.state == State::Committed ? pages.range.size() : 0;
  usage.private_bytes = private_of(pages, allocation);
  if (!facts.pages_known) return usage;
  const PageCounts counts = facts.pages.count(pages.range);
  usage.total_ws = counts.in_ram();
  usage.private_ws = counts.anonymous_exclusive + counts.anonymous_shared;
  usage.shareable_ws = counts.file_exclusive + counts.file_shared;
  usage.shared_ws = counts.file_shared;
  return usage;
}

Region region_of(AllocationSheet& sheet, Allocation& allocation) {
  Region region{.range = allocation.range,
                .type = allocation.rule->type,
                .rule = std::string(allocation.rule->name),
                .details = std::move(allocation.details),
                .evidence = std::move(allocation.evidence),
                .build_id = std::move(allocation.build_id),
                .blocks = {},
                .usage = Usage::zero()};
  for (std::size_t i = allocation.begin; i < allocation.end; ++i) {
    const AllocationPages& pages = sheet.pages[i];
    const Usage usage = usage_of(sheet.facts, pages, allocation);
    region.usage += usage;
    std::string details = std::move(sheet.details[i]);
    if (details.empty() && pages.protection && pages.protection->guard) details = "Guard";
    region.blocks.push_back({.range = pages.range,
                             .state = pages.state.value_or(State::Committed),
                             .protection = pages.protection,
                             .usage = usage,
                             .details = std::move(details)});
  }
  return region;
}

/// Adds what no call can allocate between what is there and `next`.
void add_unusable(const Facts& facts, Address next, std::vector<Region>& regions) {
  const Bytes granularity = facts.allocations->granularity;
  if (!facts.address_space || !granularity || *granularity == 0) return;
  const Address end = regions.empty() ? facts.address_space->begin : regions.back().range.end;
  const bool lowest = regions.empty();
  const std::uint64_t over = end % *granularity, rest = lowest ? *granularity : over == 0 ? 0 : *granularity - over;
  const Range range{end, std::min(next, end > ~rest ? ~Address{0} : end + rest)};
  if (range.empty()) return;
  regions.push_back(unusable_region(range, lowest ? rule_null_partition : rule_granularity,
                                    lowest ? "lowest addresses" : "before the next 64 KiB boundary",
                                    nothing_used(false)));
}

void tell(const AllocationSheet& sheet, std::size_t cut, std::vector<Note>& notes) {
  std::size_t sections = 0;
  std::uint64_t unexplained = 0;
  for (const Allocation& allocation : sheet.allocations) {
    sections += allocation.rule->name == "section" && !sheet.facts.allocations->file_names_known;
    if (allocation.rule->name == "dumped_memory") unexplained += allocation.range.size();
  }
  if (cut > 0)
    notes.push_back(
        {"overlapping_allocations",
         fmt::format("{} runs of pages overlapped others and were cut: the source contradicts itself", cut)});
  if (sections > 0)
    notes.push_back({"section_names_unknown",
                     fmt::format("{} mapped sections are shown as Shareable: the source does not tell which of them "
                                 "are files",
                                 sections)});
  if (unexplained > 0)
    notes.push_back({"memory_unexplained",
                     fmt::format("{} K are shown as Private Data only because there is memory, and nothing tells what "
                                 "kind: heap, private data, or a mapped file",
                                 unexplained >> 10)});
}

}  // namespace

void classify_allocations(Facts& facts, Snapshot& snapshot) {
  const std::size_t cut = settle(facts.allocations->pages);
  AllocationSheet sheet{.facts = facts,
                        .pages = facts.allocations->pages,
                        .allocations = group(facts.allocations->pages),
                        .details = std::vector<std::string>(facts.allocations->pages.size())};
  for (const AllocationRule& rule : allocation_rules()) rule.apply(sheet, rule);
  label_process_blocks(sheet);
  tell(sheet, cut, snapshot.notes);
  for (Allocation& allocation : sheet.allocations) {
    add_unusable(facts, allocation.range.begin, snapshot.regions);
    snapshot.regions.push_back(region_of(sheet, allocation));
  }
  if (facts.address_space) add_unusable(facts, facts.address_space->end, snapshot.regions);
}

}  // namespace vmscan
