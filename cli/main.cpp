#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/failure.h"
#include "cli/platform/system.h"
#include "formats/views/text.h"
#include "libvmscan/base/nearest.h"

namespace vmscan::cli {
namespace {

constexpr std::array<Command, 7> table{{
    {"summary", "totals per type of memory", run_summary},
    {"details", "every region, and its blocks", run_details},
    {"strings", "the text in memory, and where it lives", run_strings},
    {"heap", "what malloc's heaps hold: live, cached and free blocks", run_heap},
    {"diff", "what changed between two targets, and a gate for CI", run_diff},
    {"snapshot", "save what is there, once or on a schedule", run_snapshot},
    {"convert", "any format to any other, VMMap's too", run_convert},
}};

constexpr std::string_view help_text = R"(vmscan: what is in a process's address space, and what of it is in RAM

Examples:
  vmscan summary 1234                        totals per type of a process
  vmscan summary chromium --all --total      all processes of that name, added up
  vmscan details 1234 --sort private --top 20
  vmscan details 1234 --address 0x7f3a12345678 --explain
  vmscan strings 1234 --type heap --min-length 8
  vmscan heap 1234 --sizes                   blocks of malloc by size
  vmscan snapshot 1234 -o before.json        save it; every command reads it back
  vmscan snapshot 1234 -o day.jsonl --interval 1m --until-exit
  vmscan snapshot -o run.jsonl --interval 1s -- ./server --port 8080
  vmscan diff before.json 1234 --fail-on 'total.private > +5%'
  vmscan convert before.json before.mmp      for VMMap; and back

Usage: vmscan COMMAND TARGET... [OPTIONS]

Commands:
)";

constexpr std::string_view help_tail = R"(
TARGET is a pid, 'self', the beginning of a process name, a file (a snapshot, or what VMMap saved; FILE@N: the N-th
of a series), or '-'. 'vmscan COMMAND --help' tells more. Exit codes: 0 done, 1 a gate tripped (diff) or nothing matched
(strings, heap), 2 usage or bad input, 3 no such process, 4 permission, 5 partial result under --strict.
)";

const Command* find(std::string_view name) {
  for (const Command& command : table)
    if (command.name == name) return &command;
  return nullptr;
}

int print(std::string_view text) {
  const auto written = write_stdout(text);
  return written ? exit_done : report(written.error());
}

int print_help() {
  std::string text(help_text);
  for (const Command& command : table) text += fmt::format("  {:<10} {}\n", command.name, command.summary);
  return print(text.append(help_tail));
}

int unknown_command(const std::string& name) {
  std::vector<std::string_view> names{"help"};
  for (const Command& command : table) names.push_back(command.name);
  const auto near = nearest(name, names);
  const bool number = name.find_first_not_of("0123456789") == std::string::npos;
  if (!name.empty() && (name == "self" || number || file_exists(name)))
    return report({exit_usage, fmt::format("{} is no command: did you mean 'vmscan summary {}'?", formats::quote(name),
                                           formats::escape_for_terminal(name))});
  const std::string hint = near ? fmt::format("did you mean '{}'?", *near) : "'vmscan help' lists them";
  return report({exit_usage, fmt::format("unknown command {}: {}", formats::quote(name), hint)});
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    print_help();
    return exit_usage;
  }
  const std::string& first = arguments.front();
  if (first == "--version" || first == "-V" || first == "version")
    return print(fmt::format("vmscan {}\n", VMSCAN_VERSION));
  if (first == "--help" || first == "-h" || (first == "help" && arguments.size() == 1)) return print_help();
  if (first == "help") {
    const Command* command = find(arguments[1]);
    const std::string help = "--help";
    return command != nullptr ? command->run(std::span(&help, 1)) : unknown_command(arguments[1]);
  }
  const Command* command = find(first);
  return command != nullptr ? command->run(std::span(arguments).subspan(1)) : unknown_command(first);
}

}  // namespace

}  // namespace vmscan::cli

int main(int argc, char** argv) {
  vmscan::cli::keep_freed_memory();
  vmscan::cli::ignore_broken_pipes();
  vmscan::cli::watch_interrupts();
  try {
    return vmscan::cli::run(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  } catch (const std::exception& error) {  // out of memory
    return vmscan::cli::report({vmscan::cli::exit_usage, error.what()});
  }
}
