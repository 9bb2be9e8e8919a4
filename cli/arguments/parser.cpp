#include "cli/arguments/parser.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/failure.h"
#include "cli/platform/system.h"
#include "formats/views/text.h"
#include "libvmscan/base/nearest.h"

namespace vmscan::cli {

namespace {

/// CLI11's own help, but for the usage line.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(34); }
  std::string make_usage(const CLI::App*, std::string) const override { return usage_; }

 private:
  std::string usage_;
};

}  // namespace

struct Parser::State {
  CLI::App app;
  std::string group = "Options";
};

Parser::Parser(std::string_view subcommand, std::string_view usage, std::string_view help)
    : state_(std::make_unique<State>()) {
  CLI::App& app = state_->app;
  app.name(fmt::format("vmscan {}", subcommand));
  app.description(std::string(help));
  app.formatter(std::make_shared<HelpFormatter>(fmt::format("\nUsage: vmscan {} {}\n", subcommand, usage)));
  app.set_help_flag();  // parse() adds ours, so that it comes last
  app.allow_extras();
}

Parser::~Parser() = default;

void Parser::group(std::string_view title) { state_->group = title; }

void Parser::flag(const std::string& names, bool& value, const std::string& help) {
  state_->app.add_flag(names, value, help)->group(state_->group)->disable_flag_override();
}

void Parser::option(const std::string& names, std::string& value, const std::string& metavar, const std::string& help) {
  state_->app.add_option(names, value, help)
      ->group(state_->group)
      ->type_name(metavar)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void Parser::option(const std::string& names, std::vector<std::string>& values, const std::string& metavar,
                    const std::string& help) {
  state_->app.add_option(names, values, help)
      ->group(state_->group)
      ->type_name(metavar)
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
}

void Parser::positionals(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  state_->app.add_option(name, values, help)->type_name("")->expected(0, 1 << 20);
}

namespace {

int unknown_option(const CLI::App& app, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& known : option->get_lnames()) names.push_back("--" + known);
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const auto near = nearest(name, candidates);
  return report({exit_usage, near ? fmt::format("unknown option {}: did you mean {}?", formats::quote(name), *near)
                                  : fmt::format("unknown option {}: '{} --help' lists them", formats::quote(name),
                                                app.get_name())});
}

}  // namespace

std::optional<int> Parser::parse(std::span<const std::string> arguments) {
  state_->app.set_help_flag("-h,--help", "print this help and exit")->group("Other");
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    state_->app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    const auto written = write_stdout(state_->app.help());
    return written ? exit_done : report(written.error());
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    return report({exit_usage, fmt::format("{}: '{} --help' shows how", message, state_->app.get_name())});
  }
  for (const std::string& extra : state_->app.remaining())
    if (extra.starts_with('-')) return unknown_option(state_->app, extra);
  if (const auto extras = state_->app.remaining(); !extras.empty())
    return report({exit_usage, fmt::format("unexpected argument {}", formats::quote(extras.front()))});
  return std::nullopt;
}

}  // namespace vmscan::cli
