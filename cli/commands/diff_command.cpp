// vmscan diff: what changed, and a gate.
#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "cli/arguments/diff_arguments.h"
#include "cli/commands/commands.h"
#include "cli/commands/diff_gate.h"
#include "cli/commands/diff_trend.h"
#include "cli/heading.h"
#include "cli/platform/system.h"
#include "formats/views/heap_diff_view.h"
#include "formats/views/text.h"
#include "formats/views/verdict_view.h"
#include "libvmscan/base/run_on_threads.h"

namespace vmscan::cli {
namespace {

constexpr std::string_view help =
    R"(What changed between two targets: totals per type, then regions, the largest growth first.

Examples:
  vmscan diff before.json after.json         two snapshots
  vmscan diff before.json 1234               a snapshot and the process as it is now
  vmscan diff 1234 --after 30s               what a process grew by in half a minute
  vmscan diff 1234 --after 30s --heap        … and which sizes of malloc's blocks grew in number
  vmscan diff day.jsonl                      the first of a series against its last
  vmscan diff day.jsonl@3 day.jsonl@-1       two of a series
  vmscan diff old.json new.json --match identity --ignore '*.so*'
                                             two runs, without libraries
  vmscan diff before.json after.json --fail-on 'heap.private_ws > +max(1MiB,5%)' --fail-on 'total.count > +20'
                                             a leak gate: exit code 1 when a condition holds, 2 when it cannot be judged
  vmscan diff before.json after.json --fail-on 'heap.live > +1MiB' --fail-on 'heap.live_blocks[48] > +1000'
                                             what malloc gave and nobody freed (snapshot --heap), RSS aside
  vmscan diff day.jsonl --trend --fail-on 'heap.private_ws slope > 1MiB/h'
                                             a whole series: what grows, and does it stand out of its wander?
  vmscan diff a.json b.json --gate-file leaks.gate --format markdown -o comment.md)";

constexpr std::size_t sizes_in_table = 10;  // unless --top says otherwise

/// The two sides, and what they are called.
struct Sides {
  Snapshot base, now;
  formats::DiffNames names;
};

Expected<OpenTarget> open_one(const TargetSpec& spec) {
  auto targets = open_targets(spec, false);
  if (!targets) return std::unexpected(targets.error());
  return std::move(targets->front());
}

Expected<Sides> take_both(OpenTarget base, OpenTarget now, const DiffSettings& settings, formats::DiffNames names) {
  auto before = take_snapshot(base, settings.view.collect, settings.heaps);
  if (!before) return std::unexpected(before.error());
  auto after = take_snapshot(now, settings.view.collect, settings.heaps);
  if (!after) return std::unexpected(after.error());
  return Sides{std::move(*before), std::move(*after), std::move(names)};
}

/// The two are read side by side: parsing is what takes the time.
Expected<Sides> two_targets(const TargetSpec& base, const TargetSpec& now, const DiffSettings& settings) {
  auto reading = std::async(beside_if_possible, open_one, base);
  auto second = open_one(now);
  auto first = reading.get();
  if (!first) return std::unexpected(first.error());
  if (!second) return std::unexpected(second.error());
  return take_both(std::move(*first), std::move(*second), settings, {base.text, now.text});
}

/// One live process, twice.
Expected<Sides> one_process(OpenTarget target, const std::string& name, const DiffSettings& settings) {
  auto before = take_snapshot(target, settings.view.collect, settings.heaps);
  if (!before) return std::unexpected(before.error());
  wait_until(Clock::now() + *settings.after, nullptr);
  auto after = take_snapshot(target, settings.view.collect, settings.heaps);
  if (!after) return std::unexpected(after.error());
  return Sides{std::move(*before), std::move(*after), {name, name}};
}

Expected<Sides> one_target(const TargetSpec& spec, const DiffSettings& settings) {
  auto target = open_one(spec);
  if (!target) return std::unexpected(target.error());
  if (target->source != nullptr && settings.after) return one_process(std::move(*target), spec.text, settings);
  if (settings.after)
    return failure(exit_usage, fmt::format("{}: --after is for one live process, not for what was saved",
                                           formats::quote(spec.text)));
  if (target->source != nullptr)
    return failure(exit_usage, fmt::format("{}: one process, nothing to compare it with: name a second target, or "
                                           "--after 30s to compare it with itself",
                                           formats::quote(spec.text)));
  if (target->snapshots < 2)
    return failure(exit_usage, fmt::format("{}: one snapshot, nothing to compare it with: name a second target",
                                           formats::quote(spec.text)));
  if (spec.text == "-")
    return failure(exit_usage, "standard input: a series cannot be read from it twice; save it to a file first");
  target->notes.clear();  // that the last was taken is what was asked for
  const TargetSpec first{TargetSpec::Kind::File, spec.text + "@1"};
  auto base = open_one(first);
  if (!base) return std::unexpected(base.error());
  return take_both(std::move(*base), std::move(*target), settings, {first.text, spec.text + "@-1"});
}

Expected<Sides> sides_of(const DiffArguments& arguments, const DiffSettings& settings) {
  const auto specs = target_specs(arguments.view.targets);
  if (!specs) return std::unexpected(specs.error());
  if (specs->size() > 2)
    return failure(exit_usage, fmt::format("{} targets: diff takes two, BASE and NEW", specs->size()));
  if (specs->size() == 1) return one_target(specs->front(), settings);
  if (settings.after) return failure(exit_usage, "--after is for one process, not for two targets");
  return two_targets((*specs)[0], (*specs)[1], settings);
}

/// With the names of the files that are compared.
std::string heading(const SnapshotDiff& diff, const formats::DiffNames& names, const DiffSettings& settings) {
  constexpr std::size_t label = 6, longest_name = 24;
  const std::size_t width = settings.view.style.width;
  const auto line = [&](std::string_view side, const std::string& name, const Snapshot& snapshot) {
    const std::string file = name == fmt::to_string(snapshot.target.pid.value_or(0)) || name == snapshot.target.name
                                 ? std::string{}
                                 : formats::shorten(formats::escape_for_terminal(name), longest_name) + "  ";
    const std::size_t taken = label + formats::display_width(file);
    return fmt::format("{:<{}}{}{}", side, label, file, title_line(snapshot, width > taken ? width - taken : width));
  };
  return line("base", names.base, diff.base) + line("new", names.now, diff.now) +
         fmt::format("regions matched by {}: {}\n\n", name_of(diff.match), diff.match_reason);
}

std::string ignored_lines(const SnapshotDiff& diff) {
  std::string text;
  for (const IgnoreUse& use : diff.ignored)
    if (use.base + use.now > 0)
      text +=
          fmt::format("ignored by {}: {} regions in base, {} in new\n", formats::quote(use.pattern), use.base, use.now);
  return text;
}

/// The heaps, and the sizes of which more or fewer blocks live.
void add_heap_tables(const HeapDiff& diff, const DiffSettings& settings, ViewOutput& output) {
  const formats::Table heaps = formats::heap_diff_table(diff, settings.shown.all);
  if (settings.regions) output.add_text("\n");
  if (heaps.rows.empty()) return output.add_text("nothing changed in the heaps\n");
  output.add_table(heaps);
  const std::size_t top = settings.shown.view.top.value_or(sizes_in_table);
  output.add_text("\n");
  output.add_table(formats::heap_sizes_diff_table(diff, top));
  if (diff.sizes.size() > top)
    output.add_text(fmt::format("and {} other sizes (--top N shows more)\n", diff.sizes.size() - top));
  if (diff.types.empty()) return;
  output.add_text("\n");
  output.add_table(formats::heap_types_diff_table(diff, top));
  if (diff.types.size() > top)
    output.add_text(fmt::format("and {} other types (--top N shows more)\n", diff.types.size() - top));
}

void add_tables(const SnapshotDiff& diff, const formats::DiffNames& names, const std::vector<Verdict>& verdicts,
                const DiffSettings& settings, ViewOutput& output) {
  const bool header = settings.view.style.header;
  if (header) output.add_text(heading(diff, names, settings));
  if (const std::string gate = formats::verdict_lines(verdicts, settings.view.style); !gate.empty())
    output.add_text(gate + "\n");
  if (settings.totals) {
    const formats::Table totals = formats::diff_totals_table(diff, settings.shown);
    totals.rows.empty() ? output.add_text(diff.regions_known() ? "no total changed\n" : "no total is known\n")
                        : output.add_table(totals);
    if (settings.regions) output.add_text("\n");
  }
  if (settings.regions) {
    if (header) output.add_text(formats::count_changes(diff) + "\n");
    const formats::Table regions = formats::diff_regions_table(diff, settings.shown);
    if (!regions.rows.empty()) output.add_table(regions);
    if (header) output.add_text(ignored_lines(diff));
  }
  if (settings.sizes && diff.heap) add_heap_tables(*diff.heap, settings, output);
}

formats::Table table_for_csv(const SnapshotDiff& diff, const DiffSettings& settings) {
  if (settings.totals) return formats::diff_totals_table(diff, settings.shown);
  if (settings.regions) return formats::diff_regions_table(diff, settings.shown);
  return formats::heap_sizes_diff_table(diff.heap.value_or(HeapDiff{}), settings.shown.view.top);
}

void add_view(const SnapshotDiff& diff, const formats::DiffNames& names, const std::vector<Verdict>& verdicts,
              const DiffSettings& settings, ViewOutput& output) {
  switch (settings.view.format) {
    case Format::Table:
      return add_tables(diff, names, verdicts, settings, output);
    case Format::Csv:
      return output.add_text(formats::write_csv(table_for_csv(diff, settings), settings.view.style.header));
    case Format::Json:
      return output.add_json(formats::diff_json(diff, names, verdicts, settings.shown));
    case Format::Markdown:
      return output.add_text(formats::diff_markdown(diff, names, verdicts, settings.shown));
    case Format::Junit:
      return output.add_text(formats::verdict_junit(fmt::format("{} to {}", names.base, names.now), verdicts));
  }
}

int tell_all_notes(const SnapshotDiff& diff, const DiffArguments& arguments, const DiffSettings& settings) {
  const bool shown = !arguments.view.quiet && settings.view.format != Format::Json;
  const int exit_code = tell_notes(std::vector{&diff.base, &diff.now}, arguments.view, settings.view);
  for (const Note& note : diff.notes)
    if (shown) report_note(note.message);
  tell_unused(diff.ignored, arguments, settings);
  return exit_code;
}

}  // namespace

int run_diff(std::span<const std::string> arguments) {
  DiffArguments options;
  Parser parser("diff", "BASE NEW [OPTIONS]", help);
  options.add_to(parser);
  if (const auto done = parser.parse(arguments)) return *done;
  const auto settings = settle(options);
  if (!settings) return report(settings.error());
  if (options.trend) return run_trend(options, *settings);
  auto sides = sides_of(options, *settings);
  if (!sides) return report(sides.error());

  const SnapshotDiff diff = compare(std::move(sides->base), std::move(sides->now), settings->compare);
  if (options.sizes_only && !diff.heap)
    return report({exit_usage, "--sizes: both sides must carry what their heaps hold: vmscan snapshot TARGET --heap"});
  std::vector<Verdict> verdicts;
  for (const Condition& condition : settings->conditions)
    verdicts.push_back(judge(condition, diff.base_totals, diff.now_totals));
  ViewOutput output(options.view, settings->view);
  add_view(diff, sides->names, verdicts, *settings, output);
  if (const int failed = output.finish(); failed != exit_done) return failed;
  const int noted = tell_all_notes(diff, options, *settings);
  tell_gate(verdicts, *settings);
  const int gate = gate_exit_code(verdicts);
  return gate != exit_done ? gate : noted;
}

}  // namespace vmscan::cli
