// The options of diff, as they were typed and once they make sense.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/arguments/view.h"
#include "cli/commands/heap_look.h"
#include "formats/views/diff_view.h"
#include "libvmscan/diff/trend.h"

namespace vmscan::cli {

struct DiffArguments {
  ViewArguments view;
  std::string match, after, warm_up;
  std::vector<std::string> fail_on, gate_files, ignore, ignore_files;
  bool trend = false, all = false, heap = false, totals_only = false, regions_only = false, sizes_only = false;

  void add_to(Parser& parser);
};

struct DiffSettings {
  ViewSettings view;
  formats::DiffViewOptions shown;
  CompareOptions compare;
  std::vector<Condition> conditions;
  std::optional<std::chrono::milliseconds> after;    // how long to wait between two captures of one process
  std::vector<const Measure*> measures;              // of a trend, what --columns asks for
  WarmUp warm_up;                                    // of a trend
  WithHeaps heaps = WithHeaps::No;                   // of live processes and cores
  bool totals = true, regions = true, sizes = true;  // which tables; sizes: of blocks, with the heaps
};

Expected<DiffSettings> settle(const DiffArguments& arguments);

}  // namespace vmscan::cli
