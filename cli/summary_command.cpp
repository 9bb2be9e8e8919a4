// vmscan summary: totals per type.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/heading.h"
#include "cli/system.h"
#include "cli/view.h"

namespace vmscan::cli {
namespace {

constexpr std::string_view help = R"(Totals per type of memory: what is reserved, committed, private and in RAM.

Examples:
  vmscan summary 1234                      a process, by its pid
  vmscan summary postgres --all --total    all processes of that name, and their sum
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
  heading.notes.push_back(note);
  if (settings.format == Format::Json) {
    output.add_json(formats::summary_json(heading, sum, settings.view));
    return exit_done;
  }
  output.add_table(heading, formats::summary_table(sum, settings.view), {}, true);
  if (!quiet) report_note(note.message);
  return exit_done;
}

}  // namespace

int run_summary(std::span<const std::string> arguments) {
  ViewArguments options;
  bool total = false;
  Parser parser("summary", "TARGET... [OPTIONS]", help);
  options.add_to(parser, formats::View::Summary);
  parser.group("What is shown");
  parser.flag("--total", total, "add up all targets, after each of them");
  if (const auto done = parser.parse(arguments)) return *done;
  auto settings = settle(options, formats::View::Summary);
  if (!settings) return report(settings.error());
  settings->collect.sections = false;

  int exit_code = exit_done;
  const std::vector<Snapshot> snapshots = take_snapshots(options, *settings, exit_code);
  ViewOutput output(options, *settings);
  for (const Snapshot& snapshot : snapshots) add_view(snapshot, *settings, snapshots.size() > 1 || total, output);
  if (total && !snapshots.empty()) add_total(snapshots, *settings, options.quiet, output);
  if (const int failed = output.finish(); failed != exit_done) return std::max(exit_code, failed);
  return std::max(exit_code, tell_notes(snapshots, options, *settings));
}

}  // namespace vmscan::cli
