#include "formats/views/diff_cells.h"

#include <fmt/format.h>

#include <algorithm>

#include "formats/views/view_cells.h"

namespace vmscan::formats {
namespace {

std::uint64_t distance(Bytes base, Bytes now) { return *now >= *base ? *now - *base : *base - *now; }

const Region& shown_region(const SnapshotDiff& diff, const RegionChange& change) {
  return change.now.empty() ? diff.base.regions[change.base[0]] : diff.now.regions[change.now[0]];
}

bool differs(const RegionChange& change, std::string_view field) {
  return std::find(change.fields.begin(), change.fields.end(), field) != change.fields.end();
}

std::string from_to(const std::string& before, const std::string& after) {
  return fmt::format("{} → {}", before.empty() ? "(none)" : before, after.empty() ? "(none)" : after);
}

std::string known_protection(const Region& region) {
  const std::string text = protection_text(region);
  return text.empty() ? "?" : text;
}

std::string details_text(const SnapshotDiff& diff, const RegionChange& change) {
  const std::string more = remark(diff, change);
  const std::string& details = shown_region(diff, change).details;
  if (more.empty()) return details;
  return details.empty() ? more : fmt::format("{} ({})", details, more);
}

}  // namespace

Cell delta_cell(Bytes base, Bytes now, bool count) {
  if (!base || !now) return {.number = {}, .text = {}, .count = count};
  return {.number = distance(base, now), .text = {}, .negative = *now < *base, .count = count};
}

Cell percent_cell(Bytes base, Bytes now) {
  if (!base || !now || *base == 0) return {};
  const auto hundredths = ten_thousandths(distance(base, now), *base);
  const bool little = hundredths == 0 && *now != *base;
  return {.number = hundredths ? Bytes{*hundredths} : Bytes{}, .text = little ? "<0.01" : "", .negative = *now < *base};
}

Cell cell_of(const SnapshotDiff& diff, const RegionChange& change, const Column& column) {
  if (column.name == "change") return {{}, std::string(name_of(change.change))};
  if (column.name == "details") return {{}, details_text(diff, change)};
  if (column.kind != CellKind::Delta) return cell_of(shown_region(diff, change), column);
  const Figures before = diff.figures_before(change), after = diff.figures_after(change);
  if (column.usage != nullptr) {
    const Bytes base = before.usage.*column.usage, now = after.usage.*column.usage;
    return delta_cell(change.base.empty() ? Bytes{0} : base, change.now.empty() ? Bytes{0} : now, false);
  }
  if (column.name == "blocks") return delta_cell(before.blocks, after.blocks, true);
  return delta_cell(before.size, after.size, false);
}

std::string remark(const SnapshotDiff& diff, const RegionChange& change) {
  if (change.change == Change::Split || change.change == Change::Merged)
    return fmt::format("{} → {} regions", change.base.size(), change.now.size());
  if (change.base.size() != 1 || change.now.size() != 1) return {};
  const Region &before = diff.base.regions[change.base[0]], &after = diff.now.regions[change.now[0]];
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (differs(change, "type")) add(from_to(std::string(title_of(before.type)), std::string(title_of(after.type))));
  if (differs(change, "protection")) add(from_to(known_protection(before), known_protection(after)));
  if (differs(change, "details")) add("was " + (before.details.empty() ? "without a name" : before.details));
  if (differs(change, "build_id")) add("another build");
  if (change.change == Change::Changed && text.empty())
    add(differs(change, "blocks") ? "other blocks" : "another rule");
  return text;
}

}  // namespace vmscan::formats
