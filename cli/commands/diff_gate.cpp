#include "cli/commands/diff_gate.h"

#include <fmt/format.h>

#include "formats/views/text.h"

namespace vmscan::cli {

void tell_gate(const std::vector<Verdict>& verdicts, const DiffSettings& settings) {
  if (settings.view.format == Format::Table) return;
  for (const Verdict& verdict : verdicts)
    if (verdict.outcome != Verdict::Outcome::Passed)
      report_note(fmt::format("gate {}: {}{}{}", name_of(verdict.outcome), to_string(verdict.condition),
                              verdict.reason.empty() ? "" : ": ", verdict.reason));
}

void tell_unused(const std::vector<IgnoreUse>& ignored, const DiffArguments& arguments, const DiffSettings& settings) {
  if (arguments.view.quiet || settings.view.format == Format::Json) return;
  for (const IgnoreUse& use : ignored)
    if (use.base + use.now == 0) report_note(fmt::format("--ignore {} matched nothing", formats::quote(use.pattern)));
}

int gate_exit_code(const std::vector<Verdict>& verdicts) {
  switch (outcome_of(verdicts)) {
    case Verdict::Outcome::Tripped:
      return exit_tripped;
    case Verdict::Outcome::Unknown:
      return exit_usage;
    case Verdict::Outcome::Passed:
      break;
  }
  return exit_done;
}

}  // namespace vmscan::cli
