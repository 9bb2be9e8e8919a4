// vmscan summary: totals per type.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/arguments/view.h"
#include "cli/commands/commands.h"
#include "cli/commands/heap_look.h"
#include "cli/heading.h"
#include "cli/platform/system.h"
#include "formats/views/waterfall_view.h"

namespace vmscan::cli {
namespace {

constexpr std::string_view help = R"(Totals per type of memory: what is reserved, committed, private and in RAM.

Examples:
  vmscan summary 1234                      a process, by its pid
  vmscan summary postgres --all --total    all processes of that name, and their sum
  vmscan summary 1234 --explain            whose the RAM is, down to live and free blocks of the heap, and what to do
  vmscan summary 1234 --columns +swap,pss  further columns
  vmscan summary before.json --json        a saved snapshot, for other programs)";

void add_view(const Snapshot& snapshot, const ViewSettings& settings, bool several, ViewOutput& output) {
  if (settings.format == Format::Json) return output.add_json(formats::summary_json(snapshot, settings.view));
  if (settings.format == Format::Table && !snapshot.regions_known)
    return output.add_text(title_line(snapshot, settings.style.width) + kernel_totals(snapshot, settings.style.units));
  std::string bar_lines;
  if (settings.on_terminal && settings.style.header)
    bar_lines = bars(summarize(snapshot), settings.style.width == 0 ? 200 : settings.style.width, settings.style.color);
  output.add_table(snapshot, formats::summary_table(snapshot, settings.view), bar_lines, several);
  if (settings.format == Format::Table && settings.style.header)
    output.add_text(limit_lines(snapshot, settings.style.width));
}

/// What the sum of several processes cannot say: how much of their shared memory is the same.
Note shared_note(const Summary& sum, std::size_t processes) {
  const Bytes shared = sum.total.usage.shared_ws;
  return {
      "shared_counted_repeatedly",
      fmt::format(
          "Shared WS is counted once in each of the {} processes that map it: of the total working set, {} K may be "
          "the same memory again{}",
          processes, formats::format_size(shared, formats::Units::K),
          sum.total.usage.pss
              ? fmt::format("; PSS, {} K, counts it once", formats::format_size(sum.total.usage.pss, formats::Units::K))
              : "; --columns +pss counts it once")};
}

int add_total(const std::vector<Snapshot>& snapshots, const ViewSettings& settings, bool quiet, ViewOutput& output) {
  Summary sum = summarize(snapshots.front());
  for (std::size_t i = 1; i < snapshots.size(); ++i) sum += summarize(snapshots[i]);
  const Note note = shared_note(sum, snapshots.size());
  Snapshot heading;  // whose sum it is, for the title
  heading.target.name = fmt::format("total of {} processes", snapshots.size());
  heading.heap_shortfalls = sum.heap_shortfalls;
  heading.notes.push_back(note);
  if (settings.format == Format::Json) {
    output.add_json(formats::summary_json(heading, sum, settings.view));
    return exit_done;
  }
  output.add_table(heading, formats::summary_table(sum, settings.view), {}, true);
  if (!quiet) report_note(note.message);
  return exit_done;
}

/// --explain has one table, which is whole.
Expected<void> check_explain(const ViewArguments& options, bool total) {
  const std::array<std::pair<bool, std::string_view>, 6> others{{{!options.columns.empty(), "--columns"},
                                                                 {!options.sort.empty(), "--sort"},
                                                                 {!options.top.empty(), "--top"},
                                                                 {!options.types.empty(), "--type"},
                                                                 {options.full, "--full"},
                                                                 {total, "--total"}}};
  for (const auto& [given, name] : others)
    if (given) return failure(exit_usage, fmt::format("--explain shows all parts of one process: leave out {}", name));
  return {};
}

void add_waterfall(const Snapshot& snapshot, const Waterfall& waterfall, const ViewSettings& settings, bool several,
                   ViewOutput& output) {
  if (settings.format == Format::Json) return output.add_json(formats::waterfall_json(snapshot, waterfall));
  if (settings.format == Format::Csv)
    return output.add_table(snapshot, formats::waterfall_rows(waterfall), {}, several);
  if (!snapshot.regions_known) return add_view(snapshot, settings, several, output);
  output.add_table(snapshot, formats::waterfall_table(waterfall), {}, several);
  if (settings.style.header) output.add_text(formats::waterfall_lines(waterfall, settings.style));
}

int explain_targets(const ViewArguments& options, const ViewSettings& settings) {
  std::vector<PartialLook> looks;
  int exit_code = for_each_target(options.targets, [&](OpenTarget& target) -> Expected<void> {
    auto look =
        look_as_far_as_possible(target, settings.collect, {.trim = true, .list_request = {}, .list_address = {}});
    if (!look) return std::unexpected(look.error());
    looks.push_back(std::move(*look));
    return {};
  });
  ViewOutput output(options, settings);
  for (PartialLook& look : looks) {
    const Waterfall waterfall = explain(look.snapshot, look.report ? &*look.report : nullptr);
    if (!waterfall.in_ram && waterfall.total.known())
      look.snapshot.notes.push_back(
          {"ram_unknown", "what was in RAM is not known here: the committed bytes are split instead of Rss"});
    add_waterfall(look.snapshot, waterfall, settings, looks.size() > 1, output);
  }
  if (const int failed = output.finish(); failed != exit_done) return std::max(exit_code, failed);
  for (const PartialLook& look : looks) exit_code = std::max(exit_code, tell_notes(look.snapshot, options, settings));
  return exit_code;
}

}  // namespace

int run_summary(std::span<const std::string> arguments) {
  ViewArguments options;
  bool total = false, explained = false;
  Parser parser("summary", "TARGET... [OPTIONS]", help);
  options.add_to(parser, formats::View::Summary);
  parser.group("What is shown");
  parser.flag("--total", total, "add up all targets, after each of them");
  parser.flag("--explain", explained,
              "split what is in RAM by owner, each part with its rule, and what follows from it");
  if (const auto done = parser.parse(arguments)) return *done;
  auto settings = settle(options, formats::View::Summary);
  if (!settings) return report(settings.error());
  settings->collect.sections = false;
  if (explained) {
    if (const auto checked = check_explain(options, total); !checked) return report(checked.error());
    settings->collect.huge_pages = true;
    return explain_targets(options, *settings);
  }

  settings->collect.regions = false;
  int exit_code = exit_done;
  const std::vector<Snapshot> snapshots = take_snapshots(options, *settings, exit_code);
  ViewOutput output(options, *settings);
  for (const Snapshot& snapshot : snapshots) add_view(snapshot, *settings, snapshots.size() > 1 || total, output);
  if (total && !snapshots.empty()) add_total(snapshots, *settings, options.quiet, output);
  if (const int failed = output.finish(); failed != exit_done) return std::max(exit_code, failed);
  return std::max(exit_code, tell_notes(snapshots, options, *settings));
}

}  // namespace vmscan::cli
