// The command line of one subcommand, over CLI11 (which stays out of this header: it is slow to compile).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vmscan::cli {

class Parser {
 public:
  /// `help` comes before the list of options: one sentence, then examples.
  Parser(std::string_view subcommand, std::string_view usage, std::string_view help);
  ~Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// Starts a group of options in the help.
  void group(std::string_view title);
  void flag(const std::string& names, bool& value, const std::string& help);
  void option(const std::string& names, std::string& value, const std::string& metavar, const std::string& help);
  void option(const std::string& names, std::vector<std::string>& values, const std::string& metavar,
              const std::string& help);
  void positionals(const std::string& name, std::vector<std::string>& values, const std::string& help);

  /// Returns the exit code when there is nothing left to do: after --help, or when the arguments are wrong (then one
  /// line on stderr, with the nearest option to an unknown one).
  std::optional<int> parse(std::span<const std::string> arguments);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vmscan::cli
