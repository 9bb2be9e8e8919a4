#include "cli/heading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "formats/native/json_writer.h"
#include "formats/views/table.h"
#include "formats/views/text.h"
#include "formats/views/type_colors.h"

namespace vmscan::cli {
namespace {

using formats::display_width;
using formats::escape_for_terminal;

std::string who(const Snapshot& snapshot) {
  const Target& target = snapshot.target;
  std::string text = escape_for_terminal(target.name.empty() ? "?" : target.name);
  if (target.pid) text += fmt::format("  pid {}", *target.pid);
  if (target.kind == TargetKind::Core) text += "  core";
  if (target.kind == TargetKind::Minidump) text += "  minidump";
  if (target.namespace_pids.size() > 1) text += fmt::format(" ({} inside)", target.namespace_pids.back());
  if (!snapshot.label.empty()) text += fmt::format("  [{}]", escape_for_terminal(snapshot.label));
  return text;
}

std::string arguments(const Target& target) {
  std::string text;
  for (const std::string& argument : target.arguments) text += (text.empty() ? "" : " ") + argument;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return escape_for_terminal(text);
}

/// Keeps the beginning: arguments say most there. A cut never falls into a character.
std::string cut(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  std::string kept = text.substr(0, width - 1);
  while (!kept.empty() && (static_cast<unsigned char>(text[kept.size()]) & 0xc0) == 0x80) kept.pop_back();
  return kept + "…";
}

std::string state(const Snapshot& snapshot) {
  std::string text;
  if (snapshot.captured_at_unix_ms) {
    text = formats::format_time(*snapshot.captured_at_unix_ms);  // 2026-11-21T08:00:12.345Z
    if (text.size() == 24) text = fmt::format("{} {}Z", text.substr(0, 10), text.substr(11, 8));
  }
  for (const Limit& limit : snapshot.limits)
    if (limit.name == "mappings" && limit.used) {
      text += fmt::format("   {} mappings", formats::format_count(limit.used));
      if (limit.limit) text += fmt::format(" of {}", formats::format_count(limit.limit));
    }
  if (snapshot.consistency != Consistency::Unknown)
    text += fmt::format("   {}", consistency_names[static_cast<std::size_t>(snapshot.consistency)]);
  return text;
}

struct Bar {
  std::string_view title;
  Bytes Usage::*member;
};
constexpr std::array<Bar, 3> all_bars{{
    {"Committed", &Usage::committed},
    {"Private", &Usage::private_bytes},
    {"Working set", &Usage::total_ws},
}};

constexpr std::string_view cell = "▇";
constexpr std::size_t title_width = 13, number_width = 18, widest_bar = 72, narrowest_bar = 10;

/// Shares `cells` out over the types: whole cells, the sum rounded as a whole.
std::string draw(const Summary& summary, const Bar& bar, std::uint64_t scale, std::size_t cells, bool color) {
  std::string text;
  double sum = 0;
  std::size_t drawn = 0;
  for (const TypeTotal& row : summary.rows) {
    if (row.type == RegionType::Free) continue;
    sum += static_cast<double>((row.usage.*bar.member).value_or(0)) * static_cast<double>(cells) /
           static_cast<double>(scale);
    const auto up_to = static_cast<std::size_t>(std::lround(sum));
    if (up_to <= drawn) continue;
    if (color) text += fmt::format("\x1b[38;5;{}m", formats::color_of(row.type));
    for (; drawn < up_to; ++drawn) text += cell;
  }
  if (color && !text.empty()) text += "\x1b[0m";
  return text + std::string(cells - std::min(drawn, cells), ' ');
}

struct CounterTitle {
  std::string_view title;
  Bytes KernelCounters::*member;
};
constexpr std::array<CounterTitle, 10> counter_titles{{
    {"Address space", &KernelCounters::vm_size},
    {"In RAM (Rss)", &KernelCounters::rss},
    {"  anonymous", &KernelCounters::rss_anon},
    {"  files", &KernelCounters::rss_file},
    {"  shared memory", &KernelCounters::rss_shmem},
    {"Peak in RAM", &KernelCounters::peak_rss},
    {"Swapped out", &KernelCounters::swap},
    {"Locked", &KernelCounters::locked},
    {"Pinned", &KernelCounters::pinned},
    {"Page tables", &KernelCounters::page_tables},
}};

/// The titles of limits in bytes; mappings stand in the title line.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> limit_titles{{
    {"address_space", "address space"},
    {"data", "data"},
    {"stack", "stack"},
    {"locked", "locked"},
    {"pinned", "pinned"},
    {"cgroup_memory", "memory of its cgroup"},
}};

std::string kib(Bytes bytes) { return formats::format_size(bytes, formats::Units::K); }

std::vector<std::string> limit_texts(const Snapshot& snapshot) {
  std::vector<std::string> texts;
  for (const Limit& limit : snapshot.limits)
    for (const auto& [name, title] : limit_titles)
      if (limit.name == name && limit.used && limit.limit && (name != "pinned" || limit.used != Bytes{0}))
        texts.push_back(fmt::format("{} {} of {} K", title, kib(limit.used), kib(limit.limit)));
  if (snapshot.kernel.peak_rss) texts.push_back(fmt::format("peak in RAM {} K", kib(snapshot.kernel.peak_rss)));
  return texts;
}

}  // namespace

std::string title_line(const Snapshot& snapshot, std::size_t width) {
  std::string left = who(snapshot);
  const std::string right = state(snapshot), middle = arguments(snapshot.target);
  const std::size_t taken = display_width(left) + display_width(right) + 4;
  const std::size_t room = width == 0 ? 60 : width > taken + 2 ? width - taken - 2 : 0;
  if (!middle.empty() && room >= 12) left += "  " + cut(middle, room);
  if (right.empty()) return left + "\n";
  const std::size_t used = display_width(left) + display_width(right);
  if (width != 0 && used + 2 > width) return left + "\n" + right + "\n";
  return left + std::string(width == 0 ? 4 : width - used, ' ') + right + "\n";
}

std::string limit_lines(const Snapshot& snapshot, std::size_t width) {
  constexpr std::string_view separator = " · ";
  std::string text, line = "Limits: ";
  const std::size_t empty = line.size();
  for (const std::string& item : limit_texts(snapshot)) {
    const bool first = line.size() == empty;
    if (!first && width != 0 && display_width(line) + 3 + display_width(item) > width) {
      text += line + "\n";
      line = std::string(empty, ' ') + item;
    } else {
      line += (first ? "" : std::string(separator)) + item;
    }
  }
  return line.size() == empty ? text : text + line + "\n";
}

std::string kernel_totals(const Snapshot& snapshot, formats::Units units) {
  std::string text = "The kernel's own totals; its regions may not be read:\n";
  for (const CounterTitle& counter : counter_titles)
    if (const Bytes value = snapshot.kernel.*counter.member)
      text += fmt::format("  {:<16} {:>16}\n", counter.title, formats::format_size(value, units));
  return text;
}

std::string bars(const Summary& summary, std::size_t width, bool color) {
  std::uint64_t scale = 0;
  for (const Bar& bar : all_bars) scale = std::max(scale, (summary.total.usage.*bar.member).value_or(0));
  if (scale == 0 || width < title_width + number_width + narrowest_bar) return {};
  const std::size_t cells = std::min(widest_bar, width - title_width - number_width);
  std::string text;
  for (const Bar& bar : all_bars) {
    const Bytes sum = summary.total.usage.*bar.member;
    if (!sum) continue;
    text += fmt::format("{:<{}}{} {:>{}} K\n", bar.title, title_width, draw(summary, bar, scale, cells, color),
                        formats::format_size(sum, formats::Units::K), number_width - 3);
  }
  return text;
}

}  // namespace vmscan::cli
