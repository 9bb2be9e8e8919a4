// vmscan strings: the text in the memory of a process or a core, with the region it lives in.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands/commands.h"
#include "cli/commands/strings_base.h"
#include "cli/commands/strings_flow.h"
#include "cli/log.h"
#include "cli/progress.h"
#include "formats/views/table.h"
#include "libvmscan/strings/scan_memory.h"

namespace vmscan::cli {
namespace {

constexpr std::string_view help = R"(The text in memory: each string with its address and the region it lives in.

Examples:
  vmscan strings 1234 --type heap                  strings in heaps, by address
  vmscan strings 1234 --min-length 8 --limit 100   the first hundred of at least 8 characters
  vmscan strings 1234 --match '^https?://' -i      what looks like an address
  vmscan strings 1234 --duplicates --limit 20      what is there many times, the largest waste first
  vmscan strings 1234 --writable --jsonl -o then.jsonl; sleep 60
  vmscan strings 1234 --writable --not-in then.jsonl --duplicates
                                                   what is there more often than before, the largest growth first

Memory holds secrets: passwords, keys, what users typed. So does this output: look before you share it.
--not-in is here and not in diff, which compares figures of saved snapshots: those hold no contents of memory.
A string is a run of printable characters in ASCII, UTF-8 or UTF-16: tab, U+0020 to U+007E, and what UTF-8 encodes from
U+00A0 on, but not private use; in UTF-16 up to U+00FF. Only memory that is in RAM is read.)";

std::string amount(std::uint64_t bytes) { return formats::format_size(Bytes{bytes}, formats::Units::K) + " K"; }

/// What was left out, one note for each reason.
std::vector<Note> notes_of(const formats::StringsSummary& summary, TargetKind kind, bool all_pages,
                           std::uint64_t unreadable, const Result<void>& done) {
  std::vector<Note> notes;
  const std::string searched = amount(summary.totals.read_bytes), absent = amount(summary.absent_bytes);
  if (summary.absent_bytes > 0 && kind == TargetKind::Process && all_pages)
    notes.push_back({"not_stored", fmt::format("{} searched; of {} nothing is in RAM, in swap or in a file that can be "
                                               "read here: left out",
                                               searched, absent)});
  else if (summary.absent_bytes > 0 && kind == TargetKind::Process)
    notes.push_back({"not_in_ram", fmt::format("{} searched; {} not in RAM left out (--all-pages reads them, too)",
                                               searched, absent)});
  else if (summary.absent_bytes > 0)
    notes.push_back(
        {"not_dumped", fmt::format("{} searched; of {} the contents are not in the file", searched, absent)});
  if (unreadable > 0)
    notes.push_back({"unreadable", fmt::format("{} may not be read or were gone when they were to be read: left out",
                                               amount(unreadable))});
  if (!done) notes.push_back({"ended_early", done.error().message + ": what was found until then is shown"});
  if (interrupted()) notes.push_back({"interrupted", "interrupted: the rest was not searched"});
  return notes;
}

class Run {
 public:
  Run(const StringsArguments& arguments, const StringsSettings& settings)
      : arguments_(arguments), settings_(settings) {}

  int run(OpenTarget& target) {
    if (target.source == nullptr || target.source->memory() == nullptr)
      return report({exit_usage, "a saved snapshot holds no contents of memory: name a process or a core"});
    CollectOptions collect;
    collect.sharing = false;
    collect.all_pages = arguments_.all_pages;
    collect.trace = make_trace(arguments_.verbose);
    collect.file_root = arguments_.targets.sysroot;
    const auto snapshot = take_snapshot(target, collect);
    if (!snapshot) return report(snapshot.error());
    if (!snapshot->regions_known) return denied(*snapshot);
    const MemoryReader& memory = *target.source->memory();
    const auto extents = choose_extents(*snapshot, memory, choice_of(arguments_, settings_));
    if (!extents) return report(failure(extents.error()).error());
    if (!arguments_.quiet && extents->list.empty() && extents->absent_bytes + extents->unreadable_bytes == 0)
      report_note(nothing_chosen(*snapshot, settings_));
    return search(*snapshot, memory, *extents);
  }

 private:
  static int denied(const Snapshot& snapshot) {
    const std::string who = fmt::format("pid {}: ", snapshot.target.pid.value_or(0));
    for (const Note& note : snapshot.notes)
      if (note.code == "map_denied") return report({exit_permission, who + "permission denied: " + note.message});
    return report({exit_permission, who + "its memory map may not be read"});
  }

  int search(const Snapshot& snapshot, const MemoryReader& memory, const Extents& extents) {
    auto output = StringsOutput::open(arguments_, settings_);
    if (!output) return report(output.error());
    formats::StringsSummary summary;
    summary.notes = snapshot.notes;
    catch_interrupts();
    StringsFlow flow(settings_, snapshot, *output);
    if (settings_.compared)
      if (const auto done = exclude_base(arguments_, settings_, flow, summary.notes); !done)
        return report(done.error());
    const Result<void> done = scan(memory, extents, flow, summary.totals);
    if (!done && summary.totals.read_bytes == 0) return report(failure(done.error()).error());
    if (const auto finished = flow.finish(); !finished) return report(finished.error());
    summary.absent_bytes = extents.absent_bytes;
    for (Note& note : notes_of(summary, snapshot.target.kind, arguments_.all_pages,
                               extents.unreadable_bytes + summary.totals.unreadable_bytes, done))
      summary.notes.push_back(std::move(note));
    summary.totals.strings = output->shown();
    summary.totals.unreadable_bytes += extents.unreadable_bytes;
    if (interrupted() && !arguments_.output.empty()) return interrupt_exit_code();  // no part takes the file's name
    if (const auto failed = output->finish(flow.head(), formats::strings_tail(summary, settings_.style.format)))
      return report(*failed);
    return end(summary, !done);
  }

  Result<void> scan(const MemoryReader& memory, const Extents& extents, StringsFlow& flow, ScanTotals& totals) const {
    ScanOptions options = settings_.scan;
    options.count_only = flow.only_counts();
    options.piece_bytes = flow.piece_bytes();
    Progress progress(!settings_.on_terminal || !settings_.in_order(), extents.bytes());
    options.goes_on = [&](const ScanTotals& now) {
      progress.show(now.read_bytes + now.unreadable_bytes,
                    fmt::format(", {} strings", formats::format_count(now.strings)));
      return !interrupted();
    };
    return scan_memory(
        memory, extents.list, options, [&](const StringBatch& batch, Rendered& out) { flow.render(batch, out); },
        [&](Rendered& found) { return flow.deliver(found); }, totals);
  }

  int end(const formats::StringsSummary& summary, bool partial) const {
    if (!arguments_.quiet && settings_.style.format != formats::StringsFormat::Json)
      for (const Note& note : summary.notes) report_note(note.message);
    if (interrupted()) return interrupt_exit_code();
    if (arguments_.strict && (partial || summary.totals.unreadable_bytes > 0)) return exit_partial;
    return summary.totals.strings == 0 ? exit_nothing : exit_done;
  }

  const StringsArguments& arguments_;
  const StringsSettings& settings_;
};

}  // namespace

int run_strings(std::span<const std::string> arguments) {
  StringsArguments options;
  Parser parser("strings", "TARGET [OPTIONS]", help);
  options.add_to(parser);
  if (const auto done = parser.parse(arguments)) return *done;
  const auto settings = settle(options);
  if (!settings) return report(settings.error());
  const auto specs = target_specs(options.targets);
  if (!specs) return report(specs.error());
  if (specs->size() > 1) return report({exit_usage, "strings searches one target at a time"});
  auto targets = open_targets(specs->front(), options.targets.all);
  if (!targets) return report(targets.error());
  if (targets->size() > 1) return report({exit_usage, "strings searches one target at a time: leave out --all"});
  return Run(options, *settings).run(targets->front());
}

}  // namespace vmscan::cli
