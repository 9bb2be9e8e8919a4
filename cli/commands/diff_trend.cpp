#include "cli/commands/diff_trend.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/commands/diff_gate.h"
#include "cli/heading.h"
#include "cli/platform/system.h"
#include "formats/views/text.h"
#include "formats/views/trend_view.h"
#include "formats/views/verdict_view.h"

namespace vmscan::cli {
namespace {

/// The last snapshot without its regions, and what is kept of each.
struct SeriesSummary {
  std::string name;
  Snapshot head;
  std::vector<TrendSample> samples;
  std::vector<IgnoreUse> ignored;
};

Expected<std::string> path_of(const DiffArguments& arguments) {
  const auto specs = target_specs(arguments.view.targets);
  if (!specs) return std::unexpected(specs.error());
  if (specs->size() != 1)
    return failure(exit_usage, fmt::format("{} targets: --trend takes one, a series of snapshots", specs->size()));
  const TargetSpec& spec = specs->front();
  if (is_whole_file(spec)) return spec.text;
  return failure(
      exit_usage,
      fmt::format("{}: no such file; --trend takes a series of snapshots: vmscan snapshot {} -o series.jsonl "
                  "--interval 5s --duration 20m",
                  formats::quote(spec.text), formats::quote(spec.text)));
}

/// A line on a terminal that tells how far a long series is read.
class Progress {
 public:
  Progress(std::size_t total, bool quiet) : total_(total), shown_(!quiet && stderr_is_terminal()) {}
  ~Progress() {
    if (written_) std::fputs("\r\x1b[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void at(std::size_t done) {
    const auto now = Clock::now();
    if (!shown_ || now < next_) return;
    std::fputs(fmt::format("\rreading {} of {} snapshots", done, total_).c_str(), stderr);
    next_ = now + std::chrono::milliseconds(200);
    written_ = true;
  }

 private:
  std::size_t total_;
  bool shown_, written_ = false;
  Clock::time_point next_ = Clock::now() + std::chrono::seconds(1);
};

/// The last snapshot tells what it lacks itself.
void note_shortfalls(SeriesSummary& series) {
  const auto lacks = [](const TrendSample& sample) { return !sample.summary.heap_shortfalls.empty(); };
  const auto first = std::ranges::find_if(series.samples, lacks);
  if (first == series.samples.end() || !series.head.heap_shortfalls.empty()) return;
  series.head.notes.push_back({"heap_shortfall", fmt::format("{} of {} snapshots are not whole; snapshot {}: {}",
                                                             std::ranges::count_if(series.samples, lacks),
                                                             series.samples.size(), first - series.samples.begin() + 1,
                                                             describe(first->summary.heap_shortfalls.front()))});
}

Expected<SeriesSummary> read_series(const DiffArguments& arguments, const DiffSettings& settings) {
  const auto path = path_of(arguments);
  if (!path) return std::unexpected(path.error());
  auto input = load_file(*path);
  if (!input) return std::unexpected(input.error());
  const auto saved = read_snapshots(std::move(*input), std::nullopt);
  if (!saved) return std::unexpected(saved.error());
  SeriesSummary result;
  result.name = saved->name;
  for (const IgnorePattern& pattern : settings.compare.ignore) result.ignored.push_back({.pattern = pattern.text});
  const formats::SnapshotFile& series = saved->file;
  Progress progress(series.size(), arguments.view.quiet);
  for (std::size_t i = 0; i < series.size(); ++i) {
    progress.at(i);
    auto snapshot = series.at(i);
    if (!snapshot) return failure(exit_usage, fmt::format("{}: {}", result.name, snapshot.error().message));
    result.samples.push_back(trend_sample(
        *snapshot, totals_without_ignored(*snapshot, settings.compare.ignore, result.ignored, &IgnoreUse::now)));
    snapshot->regions.clear();
    result.head = std::move(*snapshot);
  }
  note_shortfalls(result);
  result.head.notes.insert(result.head.notes.end(), saved->notes.begin(), saved->notes.end());
  return result;
}

void add_table(const Trend& trend, const SeriesSummary& series, const std::vector<FigureTrend>& rows,
               const std::vector<Verdict>& verdicts, const DiffSettings& settings, ViewOutput& output) {
  const formats::TableStyle& style = settings.view.style;
  if (style.header) output.add_text(title_line(series.head, style.width) + formats::describe(trend) + "\n\n");
  if (!verdicts.empty()) output.add_text(formats::verdict_lines(verdicts, style) + "\n");
  if (!trend.problem().empty()) return;
  if (rows.empty()) return output.add_text("nothing changed\n");
  output.add_text(formats::trend_table(trend, rows, style));
  if (style.header && !rows.front().slope) output.add_text(fmt::format("no slopes: {}\n", rows.front().reason));
}

void add_view(const Trend& trend, const SeriesSummary& series, const std::vector<Verdict>& verdicts,
              const DiffArguments& arguments, const DiffSettings& settings, ViewOutput& output) {
  const formats::TrendViewOptions options{
      .types = settings.view.view.types, .measures = settings.measures, .all = arguments.all};
  if (settings.view.format == Format::Json)
    return output.add_json(formats::trend_json(trend, series.head, series.name, verdicts, options));
  if (settings.view.format == Format::Junit)
    return output.add_text(formats::verdict_junit(fmt::format("trend of {}", series.name), verdicts));
  const std::vector<FigureTrend> rows = formats::trend_rows(trend, options);
  if (settings.view.format == Format::Csv) return output.add_text(formats::trend_csv(rows, settings.view.style.header));
  if (settings.view.format == Format::Markdown)
    return output.add_text(formats::trend_markdown(trend, series.name, rows, verdicts));
  add_table(trend, series, rows, verdicts, settings, output);
}

}  // namespace

int run_trend(const DiffArguments& arguments, const DiffSettings& settings) {
  auto series = read_series(arguments, settings);
  if (!series) return report(series.error());
  const Trend trend(std::move(series->samples), settings.warm_up);
  std::vector<Verdict> verdicts;
  for (const Condition& condition : settings.conditions) verdicts.push_back(trend.judge(condition));
  ViewOutput output(arguments.view, settings.view);
  add_view(trend, *series, verdicts, arguments, settings, output);
  if (const int failed = output.finish(); failed != exit_done) return failed;
  const int noted = tell_notes(series->head, arguments.view, settings.view);
  if (!trend.problem().empty()) return report({exit_usage, fmt::format("{}: {}", series->name, trend.problem())});
  tell_unused(series->ignored, arguments, settings);
  tell_gate(verdicts, settings);
  const int gate = gate_exit_code(verdicts);
  return gate != exit_done ? gate : noted;
}

}  // namespace vmscan::cli
