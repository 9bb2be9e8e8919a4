#include "cli/arguments/output_arguments.h"

namespace vmscan::cli {

void OutputArguments::add_format_to(Parser& parser, const std::string& formats) {
  parser.group("Output");
  parser.option("--format", format, "FORMAT", formats);
  parser.flag("--json", json, "same as --format json");
  parser.flag("--csv", csv, "same as --format csv");
}

void OutputArguments::add_file_to(Parser& parser, const std::string& width_help) {
  parser.option("-o,--output", output, "FILE",
                "write to a file, as a whole or not at all; its name chooses the format when no option does");
  parser.flag("--force", force, "replace the file if it exists");
  parser.option("--color", color, "WHEN", "auto (default), always, never");
  parser.option("--width", width, "N", width_help);
  parser.flag("--no-header", no_header, "rows only");
  parser.group("Other");
  parser.flag("--strict", strict, "exit code 5 when something could not be read");
  parser.flag("-q,--quiet", quiet, "no notes on stderr");
  parser.flag("-v,--verbose", verbose, "tell on stderr what each step cost");
}

std::string OutputArguments::extension() const {
  const std::size_t dot = output.rfind('.');
  return dot == std::string::npos ? std::string{} : output.substr(dot + 1);
}

}  // namespace vmscan::cli
