#include "cli/arguments/diff_arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/arguments/quantities.h"
#include "cli/platform/system.h"
#include "formats/views/text.h"
#include "formats/views/trend_view.h"

namespace vmscan::cli {
namespace {

std::unexpected<Failure> bad(std::string_view option, const Error& error) {
  return failure(exit_usage, fmt::format("{} {}", option, error.message));
}

Expected<MatchMode> match_of(const std::string& text) {
  if (text.empty()) return MatchMode::Auto;
  for (const MatchMode mode : {MatchMode::Auto, MatchMode::ByAddress, MatchMode::ByIdentity})
    if (text == name_of(mode)) return mode;
  return failure(exit_usage, fmt::format("--match {}: choose one of auto, address, identity", formats::quote(text)));
}

Expected<std::vector<Condition>> conditions_of(const DiffArguments& arguments) {
  std::vector<Condition> conditions;
  for (const std::string& path : arguments.gate_files) {
    const auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    const auto more = parse_gate_file(*text);
    if (!more) return bad(fmt::format("--gate-file {}:", formats::quote(path)), more.error());
    conditions.insert(conditions.end(), more->begin(), more->end());
  }
  for (const std::string& text : arguments.fail_on) {
    const auto condition = parse_condition(text);
    if (!condition) return bad("--fail-on", condition.error());
    conditions.push_back(*condition);
  }
  return conditions;
}

Expected<std::vector<IgnorePattern>> patterns_of(const DiffArguments& arguments) {
  std::vector<IgnorePattern> patterns;
  for (const std::string& path : arguments.ignore_files) {
    const auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    const auto more = parse_ignore_file(*text);
    if (!more) return bad(fmt::format("--ignore-file {}:", formats::quote(path)), more.error());
    patterns.insert(patterns.end(), more->begin(), more->end());
  }
  for (const std::string& text : arguments.ignore) {
    const auto pattern = parse_ignore_pattern(text);
    if (!pattern) return bad("--ignore", pattern.error());
    patterns.push_back(*pattern);
  }
  return patterns;
}

/// A plain number is one of snapshots.
Expected<WarmUp> warm_up_of(const std::string& text) {
  constexpr std::string_view digits = "0123456789";
  WarmUp warm_up;
  if (text.empty()) return warm_up;
  if (text == "0") {
    warm_up.samples = 0;
  } else if (text.find_first_not_of(digits) == std::string::npos) {
    const auto samples = parse_count("--warm-up", text);
    if (!samples) return std::unexpected(samples.error());
    warm_up.samples = static_cast<std::size_t>(*samples);
  } else {
    const auto duration = parse_duration("--warm-up", text);
    if (!duration) return std::unexpected(duration.error());
    warm_up.duration_ms = duration->count();
  }
  return warm_up;
}

/// Options that say something of two snapshots, or of a series, and nothing of the other.
Expected<void> check_mode(const DiffArguments& arguments, const std::vector<Condition>& conditions) {
  if (!arguments.trend) {
    if (!arguments.warm_up.empty()) return failure(exit_usage, "--warm-up is for a series: add --trend");
    for (const Condition& condition : conditions)
      if (condition.kind == Condition::Kind::Slope)
        return failure(exit_usage,
                       fmt::format("{}: a slope is judged over a series: add --trend", to_string(condition)));
    return {};
  }
  if (!arguments.match.empty() || !arguments.after.empty() || arguments.totals_only || arguments.regions_only ||
      arguments.sizes_only)
    return failure(exit_usage,
                   "--match, --after, --totals, --regions and --sizes are for two snapshots, not for --trend");
  return {};
}

/// A gate may ask for columns that cost more to read than what is shown.
void collect_what_gates_need(const std::vector<Condition>& conditions, CollectOptions& collect) {
  for (const Condition& condition : conditions) {
    const auto column = std::find_if(usage_columns.begin(), usage_columns.end(), [&](const UsageColumn& usage) {
      return condition.figure.measure->of_usage == usage.member;
    });
    if (column == usage_columns.end()) continue;
    collect.smaps = collect.smaps || column->from_smaps;
    collect.swap = collect.swap || column->member == &Usage::swap;
  }
}

}  // namespace

void DiffArguments::add_to(Parser& parser) {
  view.add_to(parser, formats::View::Diff);
  parser.group("Comparison");
  parser.option("--match", match, "HOW",
                "address: within one process; identity: across two runs; auto (default) chooses by pid and start time");
  parser.option("--ignore", ignore, "PATTERN",
                "leave regions out whose path or name is like this (* and ?), or type:TYPE, or rule:RULE");
  parser.option("--ignore-file", ignore_files, "FILE", "such patterns, one a line; # begins a comment");
  parser.option("--after", after, "DURATION", "of one live process: capture, wait that long, capture again, compare");
  parser.flag("--heap", heap,
              "look into the heaps of processes and cores; saved snapshots have it from snapshot --heap");
  parser.flag("--trend", trend, "of one series: judge it as a whole instead of its first and last snapshot");
  parser.option(
      "--warm-up", warm_up, "N|DURATION",
      "of a trend: what does not count at its beginning, 20 (snapshots) or 30s; found from the data when not told");
  parser.group("Gate");
  parser.option("--fail-on", fail_on, "COND",
                "exit code 1 when it holds: TYPE.COLUMN > LIMIT, LIMIT like 512MiB, +1MiB, +10% or +max(1MiB,5%); "
                "with --trend also TYPE.COLUMN slope > 1MiB/h; several are joined by OR");
  parser.option("--gate-file", gate_files, "FILE", "such conditions, one a line; # begins a comment");
  parser.group("What is shown");
  parser.flag("--all", all, "what did not change, too");
  parser.flag("--totals", totals_only, "only the totals per type");
  parser.flag("--regions", regions_only, "only the regions");
  parser.flag("--sizes", sizes_only, "only the sizes of blocks in the heaps, the largest growth first");
}

Expected<DiffSettings> settle(const DiffArguments& arguments) {
  DiffSettings settings;
  ViewArguments view_arguments = arguments.view;
  if (arguments.trend) {  // its columns are those of the totals
    const auto measures = formats::choose_measures(arguments.view.columns);
    if (!measures) return failure(exit_usage, "--columns: " + measures.error().message);
    settings.measures = *measures;
    view_arguments.columns.clear();
  }
  auto view = settle(view_arguments, formats::View::Diff);
  if (!view) return std::unexpected(view.error());
  settings.view = std::move(*view);
  settings.shown = {.view = settings.view.view, .all = arguments.all};
  const auto match = match_of(arguments.match);
  if (!match) return std::unexpected(match.error());
  settings.compare.match = *match;
  auto conditions = conditions_of(arguments);
  if (!conditions) return std::unexpected(conditions.error());
  settings.conditions = std::move(*conditions);
  if (const auto fits = check_mode(arguments, settings.conditions); !fits) return std::unexpected(fits.error());
  const auto warm_up = warm_up_of(arguments.warm_up);
  if (!warm_up) return std::unexpected(warm_up.error());
  settings.warm_up = *warm_up;
  auto patterns = patterns_of(arguments);
  if (!patterns) return std::unexpected(patterns.error());
  settings.compare.ignore = std::move(*patterns);
  if (!arguments.after.empty()) {
    const auto after = parse_duration("--after", arguments.after);
    if (!after) return std::unexpected(after.error());
    settings.after = *after;
  }
  const int choices = arguments.totals_only + arguments.regions_only + arguments.sizes_only;
  if (choices > 1) return failure(exit_usage, "--totals, --regions and --sizes: choose one");
  // One table a file of CSV: without a choice the regions.
  const bool every = choices == 0 && settings.view.format != Format::Csv;
  settings.totals = every || arguments.totals_only;
  settings.regions = choices == 0 || arguments.regions_only;
  settings.sizes = every || arguments.sizes_only;
  const auto of_heaps = [](const Condition& condition) { return condition.figure.measure->of_live != nullptr; };
  if (arguments.heap || arguments.sizes_only ||
      std::any_of(settings.conditions.begin(), settings.conditions.end(), of_heaps))
    settings.heaps = WithHeaps::Yes;
  collect_what_gates_need(settings.conditions, settings.view.collect);
  return settings;
}

}  // namespace vmscan::cli
