// TARGET, the same for every subcommand: a pid, "self", the beginning of a process name, a file by its content, FILE@N
// for one snapshot of a series, "-" for standard input. --pid, --name and --file settle a doubt.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments/file_input.h"
#include "cli/arguments/parser.h"
#include "cli/failure.h"
#include "formats/files/snapshot_file.h"
#include "libvmscan/source/source.h"

namespace vmscan::cli {

struct TargetOptions {
  std::vector<std::string> any, pids, names, files;
  std::string sysroot;  // for cores and minidumps
  bool all = false;

  void add_to(Parser& parser);
  /// For a command that takes BASE and NEW.
  void add_pair_to(Parser& parser);

 private:
  void add_options_to(Parser& parser);
};

struct TargetSpec {
  enum class Kind { Any, Pid, Name, File };
  Kind kind = Kind::Any;
  std::string text;
};

/// A target that was found: a source that can be captured again and again, or a snapshot that was saved.
struct OpenTarget {
  std::unique_ptr<Source> source;  // null: `saved` is it
  Snapshot saved;
  std::vector<Note> notes;    // on how it was found; every snapshot of it carries them
  std::size_t snapshots = 0;  // in the file that it came from
};

/// In the order of the command line: positional ones first.
Expected<std::vector<TargetSpec>> target_specs(const TargetOptions& options);

/// Opens one target; with `all`, each process whose name begins so. Failures: exit code 3 for processes that are not
/// there, 2 for files that are not understood, 4 for what may not be read.
Expected<std::vector<OpenTarget>> open_targets(const TargetSpec& spec, bool all);

/// Opens all targets and looks at each, in order. The failure of one is reported on stderr and does not keep the others
/// from being looked at; returns the worst exit code.
int for_each_target(const TargetOptions& options, const std::function<Expected<void>(OpenTarget&)>& look);

/// All snapshots of a file, with what it is called in messages and how it was unpacked.
struct SavedSnapshots {
  std::string name;
  formats::SnapshotFile file;
  std::vector<Note> notes;
};

/// Whether this target is a file, and not one snapshot of it (FILE@N).
bool is_whole_file(const TargetSpec& spec);
/// The snapshots of a file, read as what it is, or as `kind`.
Expected<SavedSnapshots> read_snapshots(FileInput input, std::optional<formats::FileKind> kind);
/// A file that holds a process's memory (formats::holds_memory()).
Expected<OpenTarget> open_memory(FileInput input);

/// Captures, or gives what was saved away (once).
Expected<Snapshot> take_snapshot(OpenTarget& target, const CollectOptions& options);

}  // namespace vmscan::cli
