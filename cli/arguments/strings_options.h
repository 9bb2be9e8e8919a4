// The options of vmscan strings.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments/output_arguments.h"
#include "cli/arguments/parser.h"
#include "cli/arguments/target.h"
#include "cli/arguments/text_pattern.h"
#include "cli/failure.h"
#include "formats/views/strings_view.h"
#include "libvmscan/strings/extents.h"

namespace vmscan::cli {

/// As they were typed.
struct StringsArguments : OutputArguments {
  TargetOptions targets;
  std::string min_length, encoding, address, range, module, match, not_in, sort, limit;
  std::vector<std::string> types;
  bool writable = false, all_pages = false, ignore_case = false, unique = false, duplicates = false, count = false;
  bool jsonl = false;

  void add_to(Parser& parser);
};

enum class StringsOrder { Address, Length, Text, Type, Waste, Count, Growth };

/// Once they make sense.
struct StringsSettings {
  ScanOptions scan;
  std::vector<RegionType> types;
  std::string module;
  std::optional<Address> address;
  std::optional<Range> range;
  std::optional<TextPattern> match;
  std::optional<std::uint64_t> limit;
  bool unique = false, duplicates = false, count = false, compared = false;  // compared: with --not-in
  StringsOrder order = StringsOrder::Address;                                // of duplicates: Waste, or Growth
  bool reversed = false;
  formats::StringsStyle style;
  bool on_terminal = false;

  /// Strings are shown as they are found.
  bool in_order() const { return order == StringsOrder::Address && !reversed && !duplicates; }
};

Expected<StringsSettings> settle(const StringsArguments& arguments);

/// What to say when choice_of() takes no region of the snapshot: what there is instead.
std::string nothing_chosen(const Snapshot& snapshot, const StringsSettings& settings);

/// What is to be searched of a snapshot. `settings` must live as long as the choice.
ExtentChoice choice_of(const StringsArguments& arguments, const StringsSettings& settings);

}  // namespace vmscan::cli
