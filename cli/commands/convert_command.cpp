// vmscan convert: any format to any other.
#include <fmt/format.h>

#include <algorithm>

#include "cli/arguments/target.h"
#include "cli/arguments/view.h"
#include "cli/commands/commands.h"
#include "cli/platform/system.h"
#include "formats/files/compression.h"
#include "formats/files/convert.h"
#include "formats/views/table.h"
#include "formats/views/text.h"
#include "formats/vmmap/mmp.h"
#include "libvmscan/base/nearest.h"
#include "libvmscan/model/laws.h"

namespace vmscan::cli {
namespace {

constexpr std::string_view help =
    R"(Converts a snapshot, or a series, into another format; a note names what that cannot hold.

Examples:
  vmscan convert before.json before.mmp        for VMMap (without an extension it is .mmp, too)
  vmscan convert server.mmp server.jsonl       from VMMap, all snapshots of the file
  vmscan convert export.csv - --to regions-csv | python3 -c 'import pandas; …'
  vmscan convert 1234 map.csv                  a process, as VMMap's CSV
  vmscan convert day.jsonl day.jsonl.zst       compressed
  vmscan convert --check export.csv            reads it and says what is wrong with it

IN is any target. Formats by name: .json .jsonl (snapshots), .mmp, .csv and .txt (as VMMap writes them), .smaps; with
--to also regions-csv (one table, bytes) and table. .zst behind the name compresses.)";

struct ConvertArguments {
  std::vector<std::string> names;
  std::string output, from, to;
  bool check = false, force = false, quiet = false, strict = false;
};

/// What was read: all snapshots of a file, or one of anything.
struct Input {
  std::string name;
  std::optional<formats::FileKind> kind;  // of a file
  std::vector<Snapshot> snapshots;
  std::string foreign_mmp;  // the text of a .mmp with parts that are unknown here
};

Expected<const formats::FormatName*> named_format(std::string_view option, const std::string& name, bool to_read) {
  std::vector<std::string_view> names;
  for (const formats::FormatName& entry : formats::file_formats())
    if (!to_read || entry.reads) names.push_back(entry.name);
  const formats::FormatName* found = formats::find_format(name);
  if (found != nullptr && (!to_read || found->reads)) return found;
  if (found != nullptr)
    return failure(exit_usage, fmt::format("{} {}: it is written, but not read", option, found->name));
  std::string list;
  for (const std::string_view one : names) list += fmt::format("{}{}", list.empty() ? "" : ", ", one);
  const auto near = nearest(name, names);
  return failure(exit_usage,
                 near ? fmt::format("{} {}: did you mean '{}'?", option, formats::quote(name), *near)
                      : fmt::format("{} {}: not a format; there are {}", option, formats::quote(name), list));
}

Expected<Input> captured(std::string name, Expected<OpenTarget> target) {
  if (!target) return std::unexpected(target.error());
  auto snapshot = take_snapshot(*target, CollectOptions{});
  if (!snapshot) return std::unexpected(snapshot.error());
  Input input{std::move(name), std::nullopt, {}, {}};
  input.snapshots.push_back(std::move(*snapshot));
  return input;
}

Expected<Input> read_whole(const std::string& path, std::optional<formats::FileKind> kind) {
  auto file = load_file(path);
  if (!file) return std::unexpected(file.error());
  if (!kind && formats::holds_memory(file->kind)) {
    std::string name = file->name;
    return captured(std::move(name), open_memory(std::move(*file)));
  }
  auto saved = read_snapshots(std::move(*file), kind);
  if (!saved) return std::unexpected(saved.error());
  Input input{saved->name, saved->file.kind(), {}, saved->file.foreign_text()};
  for (std::size_t i = 0; i < saved->file.size(); ++i) {
    auto snapshot = saved->file.at(i);
    if (!snapshot) return failure(exit_usage, fmt::format("{}: {}", saved->name, snapshot.error().message));
    input.snapshots.push_back(std::move(*snapshot));
  }
  std::vector<Note>& notes = input.snapshots.back().notes;
  notes.insert(notes.begin(), saved->notes.begin(), saved->notes.end());
  return input;
}

Expected<Input> read_input(const std::string& text, const std::string& from) {
  const TargetSpec spec{from.empty() ? TargetSpec::Kind::Any : TargetSpec::Kind::File, text};
  if (is_whole_file(spec)) {
    if (from.empty()) return read_whole(text, std::nullopt);
    const auto format = named_format("--from", from, true);
    return format ? read_whole(text, (*format)->reads) : std::unexpected(format.error());
  }
  if (!from.empty()) return failure(exit_usage, fmt::format("{}: --from is for whole files", formats::quote(text)));
  auto targets = open_targets(spec, false);
  if (!targets) return std::unexpected(targets.error());
  return captured(text, std::move(targets->front()));
}

/// Each code once: a series may say the same of every snapshot.
std::vector<Note> notes_of(const Input& input) {
  std::vector<Note> notes;
  for (const Snapshot& snapshot : input.snapshots)
    for (const Note& note : snapshot.notes) {
      const auto same = [&](const Note& other) { return other.code == note.code; };
      if (std::none_of(notes.begin(), notes.end(), same)) notes.push_back(note);
    }
  return notes;
}

int finish(const Input& input, const ConvertArguments& arguments) {
  const bool partial = std::any_of(input.snapshots.begin(), input.snapshots.end(), is_partial);
  return arguments.strict && partial ? exit_partial : exit_done;
}

/// Of what is no file of snapshots.
std::string_view kind_of(const Input& input) {
  switch (input.snapshots.back().target.kind) {
    case TargetKind::Core:
      return "ELF core, ";
    case TargetKind::Minidump:
      return "minidump, ";
    default:
      return "process, ";
  }
}

int check(const Input& input, const ConvertArguments& arguments) {
  std::size_t regions = 0, blocks = 0, broken = 0;
  std::string first_broken;
  for (const Snapshot& snapshot : input.snapshots) {
    regions += snapshot.regions.size();
    for (const Region& region : snapshot.regions) blocks += region.blocks.size();
    for (const std::string& law : broken_laws(snapshot))
      if (broken++ == 0) first_broken = law;
  }
  if (!arguments.quiet)
    for (const Note& note : notes_of(input)) report_note(note.message);
  const formats::FormatName* format = input.kind ? formats::find_format(*input.kind) : nullptr;
  const std::size_t count = input.snapshots.size();
  const std::string line =
      fmt::format("{}: {}{} snapshot{}, {} regions, {} blocks\n", formats::escape_for_terminal(input.name),
                  format != nullptr ? fmt::format("{}, ", format->title) : std::string(kind_of(input)), count,
                  count == 1 ? "" : "s", formats::format_count(regions), formats::format_count(blocks));
  if (const auto written = write_stdout(line); !written) return report(written.error());
  if (broken != 0) report_note(broken == 1 ? first_broken : fmt::format("{} (and {} more)", first_broken, broken - 1));
  return arguments.strict && broken != 0 ? exit_partial : finish(input, arguments);
}

Expected<formats::FileFormat> output_format(const std::string& path, const std::string& to) {
  if (!to.empty()) {
    const auto format = named_format("--to", to, false);
    return format ? Expected<formats::FileFormat>((*format)->format) : std::unexpected(format.error());
  }
  if (path == "-") return failure(exit_usage, "to standard output in which format? Name it with --to");
  const auto format = formats::format_of_name(path);
  if (!format)
    return failure(exit_usage, fmt::format("{}: its name does not tell the format: name it with --to", path));
  return *format;
}

Expected<std::string> bytes_of(const formats::Converted& converted, bool compressed) {
  std::string bytes;
  for (const std::string& part : converted.parts) {
    if (!compressed) {
      bytes += part;
      continue;
    }
    const auto frame = formats::pack_zstd(part);
    if (!frame) return failure(exit_usage, frame.error().message);
    bytes += *frame;
  }
  return bytes;
}

formats::Converted converted_from(const Input& input, formats::FileFormat format) {
  if (format == formats::FileFormat::Mmp && !input.foreign_mmp.empty())
    if (auto same = formats::rewrite_mmp(input.foreign_mmp)) return {{std::move(*same)}, {}};
  return formats::convert(input.snapshots, format);
}

int write(const Input& input, const std::string& path, formats::FileFormat format, const ConvertArguments& arguments) {
  const formats::Converted converted = converted_from(input, format);
  const auto bytes = bytes_of(converted, path.ends_with(".zst"));
  if (!bytes) return report(bytes.error());
  const auto written = path == "-" ? write_stdout(*bytes)
                                   : write_file(path, *bytes, arguments.force ? Existing::Replace : Existing::Refuse);
  if (!written) return report(written.error());
  if (!arguments.quiet) {
    for (const Note& note : notes_of(input)) report_note(note.message);
    for (const Note& note : converted.notes) report_note(note.message);
  }
  return finish(input, arguments);
}

int run(ConvertArguments& arguments) {
  if (arguments.names.size() > 1 && arguments.output.empty()) {
    arguments.output = arguments.names.back();
    arguments.names.pop_back();
  }
  if (arguments.names.size() != 1 || arguments.names.front().empty())
    return report({exit_usage, "convert takes IN and OUT: 'vmscan convert --help' shows examples"});
  if (arguments.check && !arguments.output.empty())
    return report({exit_usage, "--check only reads: leave OUT away, or --check"});
  if (!arguments.check && arguments.output.empty())
    return report({exit_usage, "convert takes IN and OUT ('-' is standard output); --check only reads"});
  std::optional<formats::FileFormat> format;
  if (!arguments.check) {
    const auto chosen = output_format(arguments.output, arguments.to);
    if (!chosen) return report(chosen.error());
    format = *chosen;
    const Existing existing = arguments.force ? Existing::Replace : Existing::Refuse;
    if (arguments.output != "-")
      if (const auto possible = check_output(arguments.output, existing); !possible) return report(possible.error());
  }
  const auto input = read_input(arguments.names.front(), arguments.from);
  if (!input) return report(input.error());
  return format ? write(*input, arguments.output, *format, arguments) : check(*input, arguments);
}

}  // namespace

int run_convert(std::span<const std::string> arguments) {
  ConvertArguments options;
  Parser parser("convert", "IN OUT [OPTIONS]  |  vmscan convert --check IN", help);
  parser.positionals("IN OUT", options.names, "any target, and a file or '-'");
  parser.group("Formats");
  parser.option("--from", options.from, "FORMAT", "of IN: json, mmp, vmmap-csv, vmmap-txt (told by its content)");
  parser.option("--to", options.to, "FORMAT", "of OUT: those, regions-csv, table, smaps (told by its name)");
  parser.flag("--check", options.check, "only read IN and say what it is and what is wrong with it");
  parser.group("Output");
  parser.option("-o,--output", options.output, "OUT", "instead of the second name");
  parser.flag("--force", options.force, "replace the file if it exists");
  parser.flag("-q,--quiet", options.quiet, "no notes");
  parser.flag("--strict", options.strict, "exit code 5 when something of IN is missing");
  if (const auto done = parser.parse(arguments)) return *done;
  return run(options);
}

}  // namespace vmscan::cli
