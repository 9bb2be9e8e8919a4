#include "cli/arguments/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "cli/platform/system.h"
#include "formats/views/text.h"
#include "libvmscan/capture/capture.h"
#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/source/core.h"
#include "libvmscan/source/minidump.h"
#include "libvmscan/source/process.h"

namespace vmscan::cli {
namespace {

constexpr std::size_t names_listed = 5;

template <class T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Expected<OpenTarget> open_pid(std::string_view text) {
  const auto pid = whole<std::uint32_t>(text);
  if (!pid || *pid == 0) return failure(exit_usage, fmt::format("{}: not a pid", formats::quote(text)));
  auto source = open_process(*pid);
  if (!source) return failure(source.error());
  return OpenTarget{.source = std::move(*source), .saved = {}, .notes = {}};
}

std::string list_of(std::span<const ProcessName> processes) {
  std::string list;
  for (const ProcessName& process : processes.first(std::min(processes.size(), names_listed)))
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", process.pid, process.name);
  return processes.size() > names_listed ? list + ", …" : list;
}

Expected<std::vector<OpenTarget>> open_name(const std::string& prefix, bool all) {
  const auto processes = find_processes(prefix);
  if (!processes) return failure(processes.error());
  std::vector<OpenTarget> targets;
  for (const ProcessName& process : *processes) {
    auto source = open_process(process.pid);
    if (!source) continue;  // it has just ended
    targets.push_back({.source = std::move(*source), .saved = {}, .notes = {}});
    if (all) continue;
    const std::span<const ProcessName> others =
        std::span(*processes).subspan(static_cast<std::size_t>(&process - processes->data()) + 1);
    if (!others.empty())
      targets.back().notes.push_back(
          {"other_processes", fmt::format("pid {} is the first of {} processes whose name begins with {}: also {} "
                                          "(--all takes them all)",
                                          process.pid, others.size() + 1, formats::quote(prefix), list_of(others))});
    break;
  }
  if (targets.empty())
    return failure(exit_gone, fmt::format("{}: no process has a name that begins so, and there is no such file",
                                          formats::quote(prefix)));
  return targets;
}

struct FilePart {
  std::string path;
  std::optional<std::int64_t> index;  // FILE@N; negative counts from the end
};

/// A file that is really called "name@3" comes first.
FilePart split_index(const std::string& text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string::npos || at == 0 || file_exists(text)) return {text, std::nullopt};
  const auto index = whole<std::int64_t>(std::string_view(text).substr(at + 1));
  return index ? FilePart{text.substr(0, at), index} : FilePart{text, std::nullopt};
}

/// Counts from 0; the last one when none is named.
Expected<std::size_t> index_of(const FilePart& part, const std::string& name, std::size_t snapshots) {
  const auto size = static_cast<std::int64_t>(snapshots);
  const std::int64_t wanted = part.index.value_or(-1);
  const std::int64_t index = wanted < 0 ? size + wanted : wanted - 1;
  if (index >= 0 && index < size) return static_cast<std::size_t>(index);
  return failure(exit_usage, fmt::format("{}: there is no snapshot {}: the file holds {} (1 is the first, -1 the last)",
                                         name, wanted, size));
}

Expected<OpenTarget> open_file(const std::string& text) {
  const FilePart part = split_index(text);
  auto input = load_file(part.path);
  if (!input) return std::unexpected(input.error());
  if (formats::holds_memory(input->kind)) {
    if (const auto only = index_of(part, input->name, 1); !only) return std::unexpected(only.error());
    return open_memory(std::move(*input));
  }
  auto saved = read_snapshots(std::move(*input), std::nullopt);
  if (!saved) return std::unexpected(saved.error());
  const auto& [name, file, notes] = *saved;
  const auto index = index_of(part, name, file.size());
  if (!index) return std::unexpected(index.error());
  auto snapshot = file.at(*index);
  if (!snapshot) return failure(exit_usage, fmt::format("{}: {}", name, snapshot.error().message));
  OpenTarget target{.source = nullptr, .saved = std::move(*snapshot), .notes = notes};
  target.snapshots = file.size();
  if (file.size() > 1 && !part.index)
    target.notes.push_back({"last_of_series", fmt::format("{} holds {} snapshots: this is the last ({}@1 is the first)",
                                                          name, file.size(), part.path)});
  return target;
}

template <class T>
Expected<std::vector<OpenTarget>> one(Expected<T> target) {
  if (!target) return std::unexpected(target.error());
  std::vector<OpenTarget> targets;
  targets.push_back(std::move(*target));
  return targets;
}

bool looks_like_file(const std::string& text) {
  return text == "-" || text.find('/') != std::string::npos || file_exists(split_index(text).path);
}

}  // namespace

bool is_whole_file(const TargetSpec& spec) {
  const bool any = spec.kind == TargetSpec::Kind::Any && !all_digits(spec.text) && spec.text != "self";
  return (spec.kind == TargetSpec::Kind::File || (any && looks_like_file(spec.text))) && !split_index(spec.text).index;
}

Expected<OpenTarget> open_memory(FileInput input) {
  const bool minidump = input.kind == formats::FileKind::Minidump;
  auto source = minidump ? open_minidump(std::move(input.bytes)) : open_core(std::move(input.bytes));
  if (!source) return failure(exit_usage, fmt::format("{}: {}", input.name, source.error().message));
  return OpenTarget{.source = std::move(*source), .saved = {}, .notes = std::move(input.notes)};
}

Expected<SavedSnapshots> read_snapshots(FileInput input, std::optional<formats::FileKind> kind) {
  auto file = formats::SnapshotFile::open(std::move(input.text), kind.value_or(input.kind));
  if (!file) return failure(exit_usage, fmt::format("{}: {}", input.name, file.error().message));
  return SavedSnapshots{std::move(input.name), std::move(*file), std::move(input.notes)};
}

void TargetOptions::add_to(Parser& parser) {
  parser.positionals("TARGET", any,
                     "pid, 'self', beginning of a process name, snapshot, core or minidump, FILE@N (N-th of a series, "
                     "-1 the last), '-'");
  add_options_to(parser);
  parser.flag("-a,--all", all, "every process whose name begins so, not only the first");
}

void TargetOptions::add_pair_to(Parser& parser) {
  parser.positionals("BASE NEW", any, "two targets, each as for the other commands; or one series of snapshots");
  add_options_to(parser);
}

void TargetOptions::add_options_to(Parser& parser) {
  parser.group("Target");
  parser.option("--pid", pids, "PID", "a process by its pid");
  parser.option("--name", names, "NAME", "a process by the beginning of its name");
  parser.option("--file", files, "FILE", "a saved snapshot, a core or a minidump");
  parser.option("--sysroot", sysroot, "DIR",
                "where the files are that a core or minidump names (default: at their own paths)");
}

Expected<std::vector<TargetSpec>> target_specs(const TargetOptions& options) {
  std::vector<TargetSpec> specs;
  const auto add = [&](TargetSpec::Kind kind, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) specs.push_back({kind, text});
  };
  add(TargetSpec::Kind::Any, options.any);
  add(TargetSpec::Kind::Pid, options.pids);
  add(TargetSpec::Kind::Name, options.names);
  add(TargetSpec::Kind::File, options.files);
  if (specs.empty()) return failure(exit_usage, "no target: name a pid, 'self', a process or a snapshot file");
  for (const TargetSpec& spec : specs)
    if (spec.text.empty())
      return failure(exit_usage, "an empty target: name a pid, 'self', a process or a snapshot file");
  return specs;
}

Expected<std::vector<OpenTarget>> open_targets(const TargetSpec& spec, bool all) {
  const bool any = spec.kind == TargetSpec::Kind::Any;
  if (spec.kind == TargetSpec::Kind::Pid || (any && all_digits(spec.text))) return one(open_pid(spec.text));
  if (any && spec.text == "self") return one(open_pid(std::to_string(current_pid())));
  if (spec.kind == TargetSpec::Kind::File || (any && looks_like_file(spec.text))) return one(open_file(spec.text));
  return open_name(spec.text, all);
}

int for_each_target(const TargetOptions& options, const std::function<Expected<void>(OpenTarget&)>& look) {
  const auto specs = target_specs(options);
  if (!specs) return report(specs.error());
  int exit_code = exit_done;
  for (const TargetSpec& spec : *specs) {
    auto targets = open_targets(spec, options.all);
    if (!targets) exit_code = std::max(exit_code, report(targets.error()));
    if (!targets) continue;
    for (OpenTarget& target : *targets)
      if (const auto looked = look(target); !looked) exit_code = std::max(exit_code, report(looked.error()));
  }
  return exit_code;
}

Expected<Snapshot> take_snapshot(OpenTarget& target, const CollectOptions& options) {
  Snapshot snapshot;
  if (target.source == nullptr) {
    snapshot = std::move(target.saved);
  } else {
    auto facts = capture(*target.source, options);
    if (!facts) return failure(facts.error());
    snapshot = build_snapshot(std::move(*facts), options.regions ? Wanted::Regions : Wanted::Sums);
  }
  snapshot.notes.insert(snapshot.notes.begin(), target.notes.begin(), target.notes.end());
  return snapshot;
}

}  // namespace vmscan::cli
