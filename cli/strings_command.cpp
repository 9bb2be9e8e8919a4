// vmscan strings: the text in the memory of a process or a core, with the region it lives in.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/log.h"
#include "cli/strings_options.h"
#include "cli/system.h"
#include "cli/view.h"
#include "formats/table.h"
#include "libvmscan/strings/scan_memory.h"

namespace vmscan::cli {
namespace {

constexpr std::size_t buffer_bytes = 1 << 16;

constexpr std::string_view help = R"(The text in memory: each string with its address and the region it lives in.

Examples:
  vmscan strings 1234 --type heap                  strings in heaps, by address
  vmscan strings 1234 --min-length 8 --limit 100   the first hundred of at least 8 characters
  vmscan strings 1234 --module libssl --count      how many there are in a library
  vmscan strings 1234 --writable --jsonl           one JSON object a line, for other programs

Memory holds secrets: passwords, keys, what users typed. So does this output: look before you share it.
A string is a run of printable characters in ASCII, UTF-8 or UTF-16: tab, U+0020 to U+007E, and what UTF-8 encodes from
U+00A0 on, but not private use; in UTF-16 up to U+00FF. Only memory that is in RAM is read.)";

/// Where lines go, in pieces: to a file that appears at the end, or to standard output.
class Lines {
 public:
  static Expected<Lines> open(const StringsArguments& arguments, bool at_once) {
    Lines lines;
    lines.at_once_ = at_once;
    if (arguments.output.empty()) return lines;
    auto file = NewFile::open(arguments.output, arguments.force ? Existing::Replace : Existing::Refuse);
    if (!file) return std::unexpected(file.error());
    lines.file_ = std::move(*file);
    return lines;
  }

  /// False: it cannot be written, or nobody reads it any more.
  bool write(std::string_view text) {
    buffer_ += text;
    if (first_ || at_once_ || buffer_.size() >= buffer_bytes) flush();
    first_ = false;
    return !closed_ && !failure_;
  }

  std::optional<Failure> finish() {
    flush();
    if (!failure_ && file_) note(file_->finish());
    return failure_;
  }

 private:
  void flush() {
    if (!failure_ && !closed_) note(file_ ? file_->write(buffer_) : write_stdout(buffer_, &closed_));
    buffer_.clear();
  }
  void note(const Expected<void>& done) {
    if (!done && !failure_) failure_ = done.error();
  }

  std::optional<NewFile> file_;
  std::string buffer_;
  bool first_ = true, at_once_ = false, closed_ = false;
  std::optional<Failure> failure_;
};

/// Cuts lines off behind the first `count`.
void keep_lines(std::string& text, std::uint64_t count) {
  std::size_t end = 0;
  while (count-- > 0) end = text.find('\n', end) + 1;
  text.resize(end);
}

std::string amount(std::uint64_t bytes) { return formats::format_size(Bytes{bytes}, formats::Units::K) + " K"; }

/// What was left out, one note for each reason.
std::vector<Note> notes_of(const formats::StringsSummary& summary, std::uint64_t unreadable, const Result<void>& done) {
  std::vector<Note> notes;
  if (summary.absent_bytes > 0)
    notes.push_back({"not_in_ram", fmt::format("{} searched; {} not in RAM left out (--all-pages reads them, too)",
                                               amount(summary.totals.read_bytes), amount(summary.absent_bytes))});
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
    collect.trace = make_trace(arguments_.verbose);
    const auto snapshot = take_snapshot(target, collect);
    if (!snapshot) return report(snapshot.error());
    if (!snapshot->regions_known) return denied(*snapshot);
    const MemoryReader& memory = *target.source->memory();
    const auto extents = choose_extents(*snapshot, memory, choice_of(arguments_, settings_));
    if (!extents) return report(failure(extents.error()).error());
    return search(*snapshot, memory, *extents);
  }

 private:
  static int denied(const Snapshot& snapshot) {
    for (const Note& note : snapshot.notes)
      if (note.code == "map_denied") return report({exit_permission, "permission denied: " + note.message});
    return report({exit_permission, "its memory map may not be read"});
  }

  int search(const Snapshot& snapshot, const MemoryReader& memory, const Extents& extents) {
    auto lines = Lines::open(arguments_, settings_.on_terminal);
    if (!lines) return report(lines.error());
    const formats::StringsView view(snapshot, settings_.style);
    formats::StringsSummary summary;
    catch_interrupts();
    std::uint64_t shown = 0;
    const Render render = [&](const StringBatch& batch, Rendered& out) {
      for (const FoundString& found : batch.strings) view.append(batch, found, out.text);
      out.strings += batch.strings.size();
    };
    const Deliver deliver = [&](Rendered& found) { return show(view, *lines, found, shown) && !interrupted(); };
    const Result<void> done = scan_memory(memory, extents.list, settings_.scan, render, deliver, summary.totals);
    if (!done && summary.totals.read_bytes == 0) return report(failure(done.error()).error());
    if (arguments_.count) {
      lines->write(fmt::format("{}\n", settings_.limit ? std::min(*settings_.limit, shown) : shown));
    } else if (shown == 0 && settings_.style.format != formats::StringsFormat::Table) {
      lines->write(view.head());
    }
    summary.absent_bytes = extents.absent_bytes;
    summary.notes = snapshot.notes;
    for (Note& note : notes_of(summary, extents.unreadable_bytes + summary.totals.unreadable_bytes, done))
      summary.notes.push_back(std::move(note));
    summary.totals.strings = shown;
    summary.totals.unreadable_bytes += extents.unreadable_bytes;
    if (!arguments_.count) lines->write(view.tail(summary));
    if (const auto failed = lines->finish()) return report(*failed);
    return end(summary, !done || interrupted());
  }

  /// Writes what was found, up to the limit.
  bool show(const formats::StringsView& view, Lines& lines, Rendered& found, std::uint64_t& shown) const {
    const std::uint64_t room = settings_.limit ? *settings_.limit - shown : found.strings;
    const std::uint64_t taken = std::min(room, found.strings);
    if (!arguments_.count) {
      if (taken < found.strings) keep_lines(found.text, taken);
      std::string_view text = found.text;
      if (shown == 0) {
        if (settings_.style.format == formats::StringsFormat::Json) text.remove_prefix(1);
        if (!lines.write(view.head())) return false;
      }
      if (!lines.write(text)) return false;
    }
    shown += taken;
    return !settings_.limit || shown < *settings_.limit;
  }

  int end(const formats::StringsSummary& summary, bool partial) const {
    if (!arguments_.quiet && settings_.style.format != formats::StringsFormat::Json)
      for (const Note& note : summary.notes) report_note(note.message);
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
