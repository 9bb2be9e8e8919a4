// The options that every command with a view of its own has: the form of what is shown, where it goes, and what is said
// beside it.
#pragma once

#include <string>

#include "cli/arguments/parser.h"

namespace vmscan::cli {

struct OutputArguments {
  std::string format, output, color, width;
  bool json = false, csv = false, force = false, no_header = false, quiet = false, verbose = false, strict = false;

  /// --format and its short forms; the options of one command alone may follow.
  void add_format_to(Parser& parser, const std::string& formats);
  /// The others.
  void add_file_to(Parser& parser, const std::string& width_help);

  /// The end of the output file's name behind its last dot, which chooses a format where no option does; or nothing.
  std::string extension() const;
};

}  // namespace vmscan::cli
