// What a format cannot hold.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "formats/files/convert.h"
#include "formats/vmmap/vmmap_table.h"

namespace vmscan::formats {
namespace {

bool is_vmmap(FileFormat format) {
  return format == FileFormat::Mmp || format == FileFormat::VmmapCsv || format == FileFormat::VmmapTxt;
}

/// Of columns that VMMap has: by place in usage_columns. The .mmp has neither Total WS nor Locked WS; the former is a
/// sum.
bool holds(FileFormat format, std::size_t column) {
  if (format == FileFormat::Mmp) return column + 1 < vmmap_usage_columns;
  return column < vmmap_usage_columns;
}

/// Calls for each block; true as soon as the predicate is.
template <class Predicate>
bool any_block(const Snapshot& snapshot, Predicate predicate) {
  return std::any_of(snapshot.regions.begin(), snapshot.regions.end(), [&](const Region& region) {
    return std::any_of(region.blocks.begin(), region.blocks.end(), predicate);
  });
}

template <class Predicate>
bool any_region(const Snapshot& snapshot, Predicate predicate) {
  return std::any_of(snapshot.regions.begin(), snapshot.regions.end(), predicate);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Columns that say something; 0 is what a reader takes for a column that is not there.
void add_columns(const Snapshot& snapshot, FileFormat format, std::vector<std::string>& lost) {
  for (std::size_t i = 0; i < usage_columns.size(); ++i) {
    const auto member = usage_columns[i].member;
    if (holds(format, i)) continue;
    if (any_block(snapshot, [&](const Block& block) { return (block.usage.*member).known(); }))
      lost.emplace_back(usage_columns[i].title);
  }
}

std::vector<std::string> lost_parts(const Snapshot& snapshot, FileFormat format) {
  std::vector<std::string> lost;
  add_columns(snapshot, format, lost);
  const Target& target = snapshot.target;
  if (format == FileFormat::Mmp && (target.pid || !target.name.empty()))
    lost.emplace_back("the process's name and pid");
  if (format != FileFormat::Mmp && snapshot.captured_at_unix_ms) lost.emplace_back("the time of the capture");
  if (!target.executable.empty() || !target.arguments.empty() || !target.machine.empty() || !target.kernel.empty())
    lost.emplace_back("the program, its arguments and its system");
  if (any_region(snapshot, [](const Region& region) { return !region.rule.empty() && region.rule != foreign_rule; }))
    lost.emplace_back("rules and their evidence");
  if (any_region(snapshot, [](const Region& region) { return !region.build_id.empty(); }))
    lost.emplace_back("build ids");
  if (!snapshot.threads.empty()) lost.emplace_back("threads");
  if (!snapshot.limits.empty() || snapshot.kernel.rss) lost.emplace_back("limits and the kernel's totals");
  if (!snapshot.label.empty()) lost.emplace_back("the label");
  if (snapshot.consistency != Consistency::Unknown) lost.emplace_back("whether the map was stable");
  if (!snapshot.notes.empty()) lost.emplace_back("notes");
  return lost;
}

bool has_unknown(const Snapshot& snapshot) {
  return !snapshot.page_table || any_block(snapshot, [](const Block& block) {
    for (std::size_t i = 0; i < vmmap_usage_columns; ++i)
      if (!(block.usage.*usage_columns[i].member).known()) return true;
    return false;
  });
}

bool has_odd_sizes(const Snapshot& snapshot) {
  return any_block(snapshot, [](const Block& block) {
    for (std::size_t i = 0; i < vmmap_usage_columns; ++i)
      if ((block.usage.*usage_columns[i].member).value_or(0) % 1024 != 0) return true;
    return block.range.size() % 1024 != 0;
  });
}

/// A protection of Linux that has no PAGE_* value of its own.
bool has_odd_protection(const Snapshot& snapshot) {
  return any_block(snapshot, [](const Block& block) {
    return block.protection && block.protection->write && !block.protection->read;
  });
}

void add_vmmap_losses(const Snapshot& snapshot, FileFormat format, std::vector<Note>& notes) {
  if (has_unknown(snapshot))
    notes.push_back({"unknown_as_zero", fmt::format("values that are unknown read as 0 in {}", name_of(format).title)});
  if (format != FileFormat::Mmp && has_odd_sizes(snapshot))
    notes.push_back({"rounded_down", fmt::format("sizes are whole KB in {}, rounded down", name_of(format).title)});
  if (format == FileFormat::Mmp && has_odd_protection(snapshot))
    notes.push_back({"protection_changed", "memory that can be written and not read became Read/Write"});
  const bool heaps = any_region(snapshot, [](const Region& region) {
    return region.type == RegionType::Heap && !region.details.starts_with("Heap ID:");
  });
  if (heaps) notes.push_back({"heaps_numbered", "heaps got an ordinal in their details, as VMMap has it"});
}

}  // namespace

std::vector<Note> losses(const Snapshot& snapshot, FileFormat format) {
  std::vector<Note> notes;
  if (is_vmmap(format)) {
    const std::vector<std::string> lost = lost_parts(snapshot, format);
    if (!lost.empty())
      notes.push_back({"not_held", fmt::format("{} cannot hold: {}", name_of(format).title, joined(lost))});
    add_vmmap_losses(snapshot, format, notes);
  }
  if (format == FileFormat::Smaps)
    notes.push_back(
        {"not_held",
         "smaps text: offsets, devices and inodes are 0, clean and dirty pages are not told apart, types and "
         "threads are not held"});
  return notes;
}

}  // namespace vmscan::formats
