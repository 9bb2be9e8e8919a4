// vmscan snapshot: saves what is there, once or as a series.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "cli/arguments/schedule.h"
#include "cli/arguments/target.h"
#include "cli/arguments/view.h"
#include "cli/commands/commands.h"
#include "cli/commands/heap_look.h"
#include "cli/log.h"
#include "cli/platform/system.h"
#include "formats/files/compression.h"
#include "formats/files/convert.h"
#include "formats/native/json_writer.h"
#include "formats/native/snapshot_json.h"
#include "formats/views/table.h"
#include "formats/views/text.h"

namespace vmscan::cli {
namespace {

constexpr std::string_view help =
    R"(Saves a snapshot that every command reads back, once or on a schedule, one line of JSON each.

Examples:
  vmscan snapshot 1234 -o before.json                   once
  vmscan snapshot 1234 --heap -o before.json            with the blocks of the heaps by size, for diff
  vmscan snapshot 1234 -o day.jsonl --interval 1m       a series, until the process ends
  vmscan snapshot 1234 -o run.jsonl --interval 5s --count 20
  vmscan snapshot -o run.jsonl --interval 1s -- ./server --port 8080
                                                        launches a program and passes its exit status on

A series is appended line by line: whatever ends it, every line before the last is whole. Snapshots hold no contents of
memory, but they hold the command line.)";

struct SnapshotArguments {
  TargetOptions targets;
  ScheduleArguments schedule;
  std::string output, label;
  bool force = false, append = false, full = false, heap = false, all_pages = false, quiet = false, verbose = false;
  std::vector<std::string> command;  // behind "--"
};

Existing existing_of(const SnapshotArguments& arguments) {
  if (arguments.append) return Existing::Append;
  return arguments.force ? Existing::Replace : Existing::Refuse;
}

/// A frame that an earlier capture was killed in would make all that is appended to it unreadable: it is cut off.
Expected<void> cut_torn_frame(const std::string& path) {
  std::error_code error;
  if (!path.ends_with(".zst") || !std::filesystem::is_regular_file(path, error)) return {};
  const auto content = read_file(path);
  if (!content) return std::unexpected(content.error());
  const std::size_t whole = formats::whole_frames(*content);
  if (whole == content->size()) return {};
  if (whole == 0 && formats::compression_of(*content) != formats::Compression::Zstd)
    return failure(exit_usage, fmt::format("{}: it is not compressed with zstd: nothing can be appended", path));
  std::filesystem::resize_file(path, whole, error);
  return error ? failure(exit_usage, fmt::format("{}: {}", path, error.message())) : Expected<void>{};
}

/// Refuses names that promise the format of another program.
Expected<void> check_name(const std::string& path) {
  const auto format = formats::format_of_name(path);
  const bool promises = format && *format != formats::FileFormat::Native && std::filesystem::path(path).has_extension();
  if (!promises || path.ends_with(".zst")) return {};
  return failure(exit_usage, fmt::format("{}: snapshot saves .json and .jsonl; for {}: vmscan convert TARGET {}", path,
                                         formats::name_of(*format).title, path));
}

/// Where the lines go: to a file as a whole, to a growing file, or to standard output. A file is made or emptied when
/// there is something to put into it: a capture that fails at once changes nothing.
class Sink {
 public:
  static Expected<Sink> open(const SnapshotArguments& arguments, const Schedule& schedule) {
    Sink sink;
    sink.path_ = arguments.output;
    sink.existing_ = existing_of(arguments);
    sink.grows_ = schedule.series || arguments.append;
    if (sink.path_.empty()) return sink;
    if (const auto checked = check_name(sink.path_); !checked) return std::unexpected(checked.error());
    const bool grows = sink.grows_ || sink.path_.find(".jsonl") != std::string::npos;
    if (std::error_code error;
        grows && sink.existing_ == Existing::Refuse && std::filesystem::is_regular_file(sink.path_, error))
      return failure(exit_usage,
                     fmt::format("{}: the file exists: --force replaces it, --append adds to it", sink.path_));
    if (const auto checked = check_output(sink.path_, sink.existing_); !checked)
      return std::unexpected(checked.error());
    return sink;
  }

  /// A name that ends with .zst is a wish for one zstd frame a line.
  Expected<void> write(const std::string& line) {
    if (!path_.ends_with(".zst")) return write_bytes(line);
    const auto frame = formats::pack_zstd(line);
    return frame ? write_bytes(*frame) : failure(exit_usage, fmt::format("{}: {}", path_, frame.error().message));
  }
  /// The reader of standard output is gone.
  bool closed() const { return closed_; }
  void name(const std::string& path) { path_ = path; }
  const std::string& path() const { return path_; }

 private:
  Expected<void> write_bytes(const std::string& bytes) {
    if (path_.empty()) return write_stdout(bytes, &closed_);
    if (!grows_) return write_file(path_, bytes, existing_);
    if (!series_) {
      if (existing_ == Existing::Append)
        if (const auto cut = cut_torn_frame(path_); !cut) return std::unexpected(cut.error());
      auto file = SeriesFile::open(path_, existing_);
      if (!file) return std::unexpected(file.error());
      series_ = std::move(*file);
    }
    return series_->append(bytes);
  }

  std::string path_;
  Existing existing_ = Existing::Refuse;
  bool grows_ = false;
  std::optional<SeriesFile> series_;
  bool closed_ = false;
};

/// On a terminal, one line of JSON is no use: it goes to a file that says what it is.
std::string default_name(const Snapshot& snapshot, std::string_view extension) {
  std::string time = formats::format_time(snapshot.captured_at_unix_ms.value_or(0)).substr(0, 19) + "Z";
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  std::string name = snapshot.target.name.empty() ? "process" : snapshot.target.name;
  std::replace_if(
      name.begin(), name.end(),
      [](char c) { return !std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_'; }, '_');
  return fmt::format("{}-{}-{}.{}", name, snapshot.target.pid.value_or(0), time, extension);
}

/// "3 of 20  12:00:05Z  312,456 K in RAM", on one line of the terminal that each snapshot writes anew.
class Progress {
 public:
  Progress(bool shown, const Schedule& schedule)
      : shown_(shown && schedule.series && stderr_is_terminal()), count_(schedule.count) {}
  ~Progress() {
    if (drawn_) std::fputs("\n", stderr);
  }
  void show(std::uint64_t number, const Snapshot& snapshot) {
    if (!shown_) return;
    const std::string of = count_ ? fmt::format(" of {}", *count_) : std::string{};
    const std::string line =
        fmt::format("\r\x1b[Ksnapshot {}{}  {}  {} K in RAM  (Ctrl-C ends)", number, of,
                    formats::format_time(snapshot.captured_at_unix_ms.value_or(0)).substr(11, 8) + "Z",
                    formats::format_size(summarize(snapshot).total.usage.total_ws, formats::Units::K));
    std::fputs(line.c_str(), stderr);
    drawn_ = true;
  }

 private:
  bool shown_;
  std::optional<std::uint64_t> count_;
  bool drawn_ = false;
};

struct Run {
  OpenTarget& target;
  const SnapshotArguments& arguments;
  const Schedule& schedule;
  const CollectOptions& collect;
  Sink& sink;
  Child* child;  // null when nothing was launched
};

bool has_ended(const Snapshot& snapshot) { return snapshot.target.kind == TargetKind::Zombie; }

Expected<void> save(const Run& run, Snapshot& snapshot) {
  snapshot.label = run.arguments.label.empty() ? snapshot.label : run.arguments.label;
  if (!snapshot.regions_known)
    for (const Note& note : snapshot.notes)
      if (note.code == "map_denied")
        return failure(exit_permission,
                       fmt::format("pid {}: permission denied: {}", snapshot.target.pid.value_or(0), note.message));
  return run.sink.write(formats::write_snapshot(snapshot));
}

int take_one(const Run& run) {
  auto snapshot = take_snapshot(run.target, run.collect, run.arguments.heap ? WithHeaps::Yes : WithHeaps::No);
  if (!snapshot) return report(snapshot.error());
  const bool named = run.sink.path().empty() && stdout_is_terminal();
  if (named) run.sink.name(default_name(*snapshot, "json"));
  if (const auto saved = save(run, *snapshot); !saved) return report(saved.error());
  if (named && !run.arguments.quiet) report_note(fmt::format("saved as {}", run.sink.path()));
  if (!run.arguments.quiet)
    for (const Note& note : snapshot->notes)
      if (run.collect.smaps || note.code != "smaps_apportioned") report_note(note.message);
  return exit_done;
}

/// What ended a series before its count or duration was reached.
int ended_early(const Run& run, std::uint64_t taken, const std::string& why) {
  if (run.schedule.until_exit || run.child != nullptr) return exit_done;
  return report({exit_gone, fmt::format("{} after {} snapshots; they are saved", why, taken)});
}

/// Ctrl-C is how a series ends that has no other end; one that was to have so many snapshots, or to last so long, is
/// not what was asked for.
int ended_by_interrupt(const Run& run) {
  const bool bounded = run.schedule.count || run.schedule.duration;
  return bounded && run.child == nullptr ? interrupt_exit_code() : exit_done;
}

int take_series(const Run& run) {
  const Clock::time_point start = Clock::now();
  const Beat beat(start, run.schedule.interval);
  Progress progress(!run.arguments.quiet, run.schedule);
  const bool named = run.sink.path().empty() && stdout_is_terminal();
  for (std::uint64_t taken = 0;;) {
    auto snapshot = take_snapshot(run.target, run.collect, run.arguments.heap ? WithHeaps::Yes : WithHeaps::No);
    if (!snapshot && snapshot.error().exit_code == exit_gone && (taken > 0 || run.child != nullptr))
      return ended_early(run, taken, snapshot.error().message);
    if (!snapshot) return report(snapshot.error());
    if (has_ended(*snapshot) && (taken > 0 || run.child != nullptr))
      return ended_early(run, taken, fmt::format("pid {}: the process has ended", snapshot->target.pid.value_or(0)));
    if (named && taken == 0) run.sink.name(default_name(*snapshot, "jsonl"));
    if (const auto saved = save(run, *snapshot); !saved) return report(saved.error());
    if (named && taken == 0 && !run.arguments.quiet) report_note(fmt::format("saved in {}", run.sink.path()));
    progress.show(++taken, *snapshot);
    const bool enough = run.schedule.count && taken >= *run.schedule.count;
    const Clock::time_point next = beat.next(Clock::now());
    const bool over = run.schedule.duration && next > start + *run.schedule.duration;
    if (enough || over || run.sink.closed()) return exit_done;
    if (!interrupted()) wait_until(next, run.child);
    if (interrupted()) return ended_by_interrupt(run);
  }
}

Expected<OpenTarget> single_target(const SnapshotArguments& arguments) {
  const auto specs = target_specs(arguments.targets);
  if (!specs) return std::unexpected(specs.error());
  if (specs->size() > 1 || arguments.targets.all) return failure(exit_usage, "snapshot takes one target");
  auto targets = open_targets(specs->front(), false);
  if (!targets) return std::unexpected(targets.error());
  return std::move(targets->front());
}

int run_launched(const SnapshotArguments& arguments, const Schedule& schedule, const CollectOptions& collect,
                 Sink& sink) {
  auto child = Child::start(arguments.command);
  if (!child) return report(child.error());
  auto targets = open_targets({TargetSpec::Kind::Pid, std::to_string(child->pid())}, false);
  int exit_code = exit_done;
  if (targets)
    exit_code = take_series({targets->front(), arguments, schedule, collect, sink, &*child});
  else
    exit_code = report(targets.error());
  const int status = child->wait();
  return exit_code != exit_done ? exit_code : status;
}

int run_settled(const SnapshotArguments& arguments, const Schedule& schedule) {
  CollectOptions collect;
  collect.smaps = arguments.full;
  collect.all_pages = arguments.all_pages;
  collect.file_root = arguments.targets.sysroot;
  collect.trace = make_trace(arguments.verbose);
  const bool launches = !arguments.command.empty();
  if (arguments.append && arguments.output.empty())
    return report({exit_usage, "--append: to which file? Name it with -o"});
  const TargetOptions& targets = arguments.targets;
  if (launches && !(targets.any.empty() && targets.pids.empty() && targets.names.empty() && targets.files.empty()))
    return report({exit_usage, "name a target or a command behind '--', not both"});
  std::optional<OpenTarget> target;
  if (!launches) {
    auto opened = single_target(arguments);
    if (!opened) return report(opened.error());
    target = std::move(*opened);
    if (schedule.series && target->source == nullptr)
      return report({exit_usage, "a saved snapshot does not change: a series needs a process"});
  }
  auto sink = Sink::open(arguments, schedule);
  if (!sink) return report(sink.error());
  if (schedule.series) catch_interrupts();
  if (launches) return run_launched(arguments, schedule, collect, *sink);
  const Run run{*target, arguments, schedule, collect, *sink, nullptr};
  return schedule.series ? take_series(run) : take_one(run);
}

}  // namespace

int run_snapshot(std::span<const std::string> arguments) {
  SnapshotArguments options;
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  const auto own = arguments.first(static_cast<std::size_t>(dashes - arguments.begin()));
  if (dashes != arguments.end()) options.command.assign(dashes + 1, arguments.end());

  Parser parser("snapshot", "TARGET [OPTIONS]  |  vmscan snapshot [OPTIONS] -- COMMAND ARGUMENTS...", help);
  options.targets.add_to(parser);
  parser.group("Schedule");
  parser.option("--interval", options.schedule.interval, "TIME",
                "time between snapshots: 250ms, 5s, 1m (1s when not told)");
  parser.option("--count", options.schedule.count, "N", "end after N snapshots");
  parser.option("--duration", options.schedule.duration, "TIME", "end after this time");
  parser.flag("--until-exit", options.schedule.until_exit, "end when the process ends");
  parser.group("Output");
  parser.option("-o,--output", options.output, "FILE",
                "where to; without it standard output, or a new file when that is a terminal");
  parser.option("--label", options.label, "TEXT", "a name that the snapshots carry");
  parser.flag("--append", options.append, "add to the file if it exists");
  parser.flag("--force", options.force, "replace the file if it exists");
  parser.group("Other");
  parser.flag("--full", options.full,
              "PSS, Dirty, Referenced, Huge and Swap PSS too; reading these makes the target wait");
  parser.flag("--heap", options.heap, "what the heaps hold too: sums and sizes of blocks, no contents; for diff");
  parser.flag("--all-pages", options.all_pages, all_pages_help);
  parser.flag("-q,--quiet", options.quiet, "no notes and no progress");
  parser.flag("-v,--verbose", options.verbose, "tell on stderr what each step cost");
  if (const auto done = parser.parse(own)) return *done;
  if (dashes != arguments.end() && options.command.empty()) return report({exit_usage, "no command behind '--'"});
  const auto schedule = settle(options.schedule, !options.command.empty());
  if (!schedule) return report(schedule.error());
  return run_settled(options, *schedule);
}

}  // namespace vmscan::cli
