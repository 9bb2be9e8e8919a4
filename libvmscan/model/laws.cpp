#include "libvmscan/model/laws.h"

#include <fmt/format.h>

namespace vmscan {
namespace {

constexpr std::size_t most_sentences = 20;

class Findings {
 public:
  template <class... Arguments>
  void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (!full()) sentences_.push_back(fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  bool full() const { return sentences_.size() >= most_sentences; }
  std::vector<std::string> take() { return std::move(sentences_); }

 private:
  std::vector<std::string> sentences_;
};

std::string name_range(Range range) { return fmt::format("[{:#x}, {:#x})", range.begin, range.end); }

bool exceeds(Bytes part, Bytes whole) { return part.known() && whole.known() && *part > *whole; }

/// The first law that one set of figures breaks; empty when they agree.
std::string broken_figures(const Usage& usage) {
  const Bytes sum = usage.private_ws + usage.shareable_ws;
  if (sum.known() && usage.total_ws.known() && sum != usage.total_ws) {
    return fmt::format("total working set {} is not private {} + shareable {}", *usage.total_ws, *usage.private_ws,
                       *usage.shareable_ws);
  }
  if (exceeds(usage.shared_ws, usage.shareable_ws)) {
    return fmt::format("shared working set {} exceeds shareable {}", *usage.shared_ws, *usage.shareable_ws);
  }
  if (exceeds(usage.total_ws, usage.committed)) {
    return fmt::format("total working set {} exceeds committed {}", *usage.total_ws, *usage.committed);
  }
  return {};
}

std::string text_of(Bytes bytes) { return bytes.known() ? fmt::to_string(*bytes) : "unknown"; }

/// The first column in which two usages differ, as a sentence.
std::string difference(const Usage& whole, const Usage& sum, std::string_view parts) {
  for (const UsageColumn& column : usage_columns) {
    if (whole.*column.member == sum.*column.member) continue;
    return fmt::format("{} is {}, the sum of its {} is {}", column.name, text_of(whole.*column.member), parts,
                       text_of(sum.*column.member));
  }
  return {};
}

void check_blocks(const Region& region, Findings& findings) {
  Address covered = region.range.begin;
  for (const Block& block : region.blocks) {
    if (block.range.begin != covered || block.range.empty()) {
      findings.add("region {}: block {} does not follow on {:#x}", name_range(region.range), name_range(block.range),
                   covered);
      return;
    }
    covered = block.range.end;
  }
  if (covered != region.range.end) {
    findings.add("region {}: its blocks end at {:#x}", name_range(region.range), covered);
  }
}

void check_structure(const Snapshot& snapshot, Findings& findings) {
  if (!snapshot.regions_known && !snapshot.regions.empty()) findings.add("there are regions, but they are not known");
  const Region* previous = nullptr;
  for (const Region& region : snapshot.regions) {
    if (findings.full()) return;
    if (region.range.empty()) findings.add("region {} is empty", name_range(region.range));
    if (region.type == RegionType::Free || region.type == RegionType::PageTable) {
      findings.add("region {} is of type {}, which is never stored", name_range(region.range), name_of(region.type));
    }
    if (previous != nullptr && region.range.begin < previous->range.end) {
      findings.add("region {} is not after region {}", name_range(region.range), name_range(previous->range));
    }
    check_blocks(region, findings);
    previous = &region;
  }
}

void check_row(const Snapshot& snapshot, const TypeTotal& row, Findings& findings) {
  Bytes size = 0, regions = 0, blocks = 0;
  Usage usage = Usage::zero();
  for (const Region& region : snapshot.regions) {
    if (region.type != row.type) continue;
    size += region.range.size();
    usage += region.usage;
    regions += 1;
    blocks += region.blocks.size();
  }
  if (size != row.size || regions != row.regions || blocks != row.blocks) {
    findings.add("summary row {} does not count its regions", name_of(row.type));
  }
  const std::string differs = *regions == 0 ? std::string() : difference(row.usage, usage, "regions");
  if (!differs.empty()) findings.add("summary row {}: {}", name_of(row.type), differs);
}

void check_summary(const Snapshot& snapshot, Findings& findings) {
  const Summary summary = summarize(snapshot);
  Bytes size = 0, regions = 0, blocks = 0;
  Usage usage = Usage::zero();
  for (const TypeTotal& row : summary.rows) {
    const std::string figures = broken_figures(row.usage);
    if (!figures.empty()) findings.add("summary row {}: {}", name_of(row.type), figures);
    if (row.type == RegionType::Free || !row.has_row()) continue;
    if (row.type != RegionType::PageTable) check_row(snapshot, row, findings);
    size += row.size;
    regions += row.regions;
    blocks += row.blocks;
    usage += row.usage;
  }
  if (size != summary.total.size || regions != summary.total.regions || blocks != summary.total.blocks) {
    findings.add("the total does not count its rows");
  }
  const std::string differs = difference(summary.total.usage, usage, "rows");
  if (!differs.empty()) findings.add("total: {}", differs);
}

}  // namespace

std::string broken_usage(const Region& region) {
  Usage sum = Usage::zero();
  for (const Block& block : region.blocks) {
    const std::string figures = broken_figures(block.usage);
    if (!figures.empty()) return fmt::format("block {}: {}", name_range(block.range), figures);
    sum += block.usage;
  }
  const std::string figures = broken_figures(region.usage);
  if (!figures.empty()) return fmt::format("region {}: {}", name_range(region.range), figures);
  const std::string differs = difference(region.usage, sum, "blocks");
  return differs.empty() ? differs : fmt::format("region {}: {}", name_range(region.range), differs);
}

std::vector<std::string> broken_structure(const Snapshot& snapshot) {
  Findings findings;
  check_structure(snapshot, findings);
  return findings.take();
}

std::vector<std::string> broken_laws(const Snapshot& snapshot) {
  Findings findings;
  check_structure(snapshot, findings);
  for (const Region& region : snapshot.regions) {
    if (findings.full()) break;
    const std::string broken = broken_usage(region);
    if (!broken.empty()) findings.add("{}", broken);
  }
  if (snapshot.regions_known) check_summary(snapshot, findings);
  return findings.take();
}

}  // namespace vmscan
