// What summary and details have in common: their options, and the way from targets to text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments/output_arguments.h"
#include "cli/arguments/parser.h"
#include "cli/arguments/target.h"
#include "cli/failure.h"
#include "formats/views/views.h"

namespace vmscan::cli {

/// Markdown and JUnit only where a view has them: in a diff.
enum class Format { Table, Csv, Json, Markdown, Junit };

/// The options as they were typed.
inline constexpr const char* all_pages_help =
    "read what is swapped out, too, to find owners and blocks: it comes back into RAM by that";

struct ViewArguments : OutputArguments {
  TargetOptions targets;
  std::string columns, sort, top, units;
  std::vector<std::string> types;
  bool full = false, all_pages = false;

  void add_to(Parser& parser, formats::View view);
  void add_all_pages_to(Parser& parser);
  /// Only the options on formats and notes; `diff`: with the formats that a diff has.
  void add_output_to(Parser& parser, bool diff);
};

/// The options once they make sense.
struct ViewSettings {
  Format format = Format::Table;
  formats::ViewOptions view;
  formats::TableStyle style;
  CollectOptions collect;
  bool on_terminal = false;  // a table that is printed to a terminal
};

Expected<ViewSettings> settle(const ViewArguments& arguments, formats::View view);

/// Adds the types of a --type: "heap", "Mapped File", "heap,stack".
Expected<void> add_types(std::string_view list, std::vector<RegionType>& types);
/// What --color (may be empty) and the environment ask for: no-color.org and bixense.com/clicolors; the option wins.
Expected<bool> wants_color(const std::string& choice, bool terminal);

/// Collects the text of all targets and puts it where it belongs.
class ViewOutput {
 public:
  ViewOutput(const ViewArguments& arguments, const ViewSettings& settings)
      : arguments_(arguments), settings_(settings) {}

  /// A table of one snapshot with its title, or its rows of CSV. `several`: rows say whose they are.
  void add_table(const Snapshot& snapshot, const formats::Table& table, const std::string& bars, bool several);
  /// Without anything above it.
  void add_table(const formats::Table& table);
  void add_json(const std::string& document) { text_ += document; }
  void add_text(const std::string& text) { text_ += text; }
  /// Writes to -o or to standard output; returns the exit code.
  int finish();

 private:
  const ViewArguments& arguments_;
  const ViewSettings& settings_;
  std::string text_;
  bool header_written_ = false;
};

/// Every snapshot of the targets, in order. The failure of one does not keep the others from being shown: each is
/// reported on stderr, and `exit_code` is the worst. One whose map may not be read is among them and a failure as well.
std::vector<Snapshot> take_snapshots(const ViewArguments& arguments, const ViewSettings& settings, int& exit_code);

/// Prints the notes on stderr, one that several have once, unless they are in the output already (JSON) or --quiet;
/// returns exit_partial when --strict asks for whole results and something is missing.
int tell_notes(const std::vector<const Snapshot*>& snapshots, const ViewArguments& arguments,
               const ViewSettings& settings);
inline int tell_notes(const Snapshot& snapshot, const ViewArguments& arguments, const ViewSettings& settings) {
  return tell_notes(std::vector{&snapshot}, arguments, settings);
}
int tell_notes(const std::vector<Snapshot>& snapshots, const ViewArguments& arguments, const ViewSettings& settings);

/// What to say when no region is of the types that --type asks for: which there are.
std::string no_such_type(const Snapshot& snapshot, const std::vector<RegionType>& types);

/// Whether something of the snapshot could not be read, as --strict sees it.
bool is_partial(const Snapshot& snapshot);

}  // namespace vmscan::cli
