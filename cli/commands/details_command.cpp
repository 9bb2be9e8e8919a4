// vmscan details: a row for every region.
#include <algorithm>

#include "cli/arguments/quantities.h"
#include "cli/arguments/view.h"
#include "cli/commands/commands.h"

namespace vmscan::cli {
namespace {

constexpr std::string_view help =
    R"(Every region of the address space: an allocation, a loaded image, a stack; expanded, its blocks.

Examples:
  vmscan details 1234                              all regions, by address
  vmscan details 1234 --sort private --top 20      the largest first
  vmscan details 1234 --type heap --expand         heaps with their blocks
  vmscan details 1234 --address 0x7f3a12345678     what is there, and its neighbours
  vmscan details 1234 --explain                    which rule gave each region its type, and why)";

void tell_if_no_such_type(const Snapshot& snapshot, const ViewSettings& settings) {
  const auto& types = settings.view.types;
  const auto wanted = [&](RegionType type) { return std::find(types.begin(), types.end(), type) != types.end(); };
  if (wanted(RegionType::Free)) return;
  if (std::none_of(snapshot.regions.begin(), snapshot.regions.end(),
                   [&](const Region& region) { return wanted(region.type); }))
    report_note(no_such_type(snapshot, types));
}

}  // namespace

int run_details(std::span<const std::string> arguments) {
  ViewArguments options;
  std::string address;
  formats::ViewOptions chosen;
  Parser parser("details", "TARGET... [OPTIONS]", help);
  options.add_to(parser, formats::View::Details);
  parser.group("What is shown");
  parser.option("--address", address, "A", "the region with this address, and its neighbours");
  parser.flag("-x,--expand", chosen.expand, "the blocks of each region too");
  parser.flag("--free", chosen.free, "free address space too");
  parser.flag("--explain", chosen.explain, "the rule that gave each region its type, and its evidence");
  if (const auto done = parser.parse(arguments)) return *done;
  auto settings = settle(options, formats::View::Details);
  if (!settings) return report(settings.error());
  settings->view.expand = chosen.expand;
  settings->view.free = chosen.free;
  settings->view.explain = chosen.explain;
  if (!address.empty()) {
    const auto parsed = parse_address("--address", address);
    if (!parsed) return report(parsed.error());
    settings->view.address = *parsed;
  }

  int exit_code = exit_done;
  const std::vector<Snapshot> snapshots = take_snapshots(options, *settings, exit_code);
  ViewOutput output(options, *settings);
  for (const Snapshot& snapshot : snapshots) {
    if (!snapshot.regions_known) continue;  // there is no region to show
    if (!options.quiet && !settings->view.types.empty() && !settings->view.address)
      tell_if_no_such_type(snapshot, *settings);
    if (settings->format == Format::Json)
      output.add_json(formats::details_json(snapshot, settings->view));
    else
      output.add_table(snapshot, formats::details_table(snapshot, settings->view), {}, snapshots.size() > 1);
  }
  if (const int failed = output.finish(); failed != exit_done) return std::max(exit_code, failed);
  return std::max(exit_code, tell_notes(snapshots, options, *settings));
}

}  // namespace vmscan::cli
