// The subcommands: main() looks them up in this table.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace vmscan::cli {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(std::span<const std::string> arguments);  // without the subcommand itself; returns the exit code
};

int run_snapshot(std::span<const std::string> arguments);
int run_summary(std::span<const std::string> arguments);
int run_details(std::span<const std::string> arguments);
int run_heap(std::span<const std::string> arguments);
int run_diff(std::span<const std::string> arguments);
int run_convert(std::span<const std::string> arguments);
int run_strings(std::span<const std::string> arguments);

}  // namespace vmscan::cli
