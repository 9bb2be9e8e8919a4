// What happens to strings between the search and the lines: --match, --not-in, --unique, --sort, --duplicates.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/arguments/strings_options.h"
#include "cli/commands/strings_output.h"
#include "formats/views/duplicates_view.h"
#include "formats/views/strings_view.h"
#include "libvmscan/strings/string_counter.h"
#include "libvmscan/strings/string_sieve.h"

namespace vmscan::cli {

/// The strings of a batch as records, one behind the other. `types`: of the region.
void append_records(const StringBatch& batch, const Region& region, Rendered& out);

class StringsFlow {
 public:
  /// All must live as long as this.
  StringsFlow(const StringsSettings& settings, const Snapshot& snapshot, StringsOutput& output);

  /// A string of --not-in, before the first batch: equal ones are not shown, or of duplicates so many are no growth.
  /// Errors: those of RecordSort.
  Result<void> exclude(StringRecord head, std::string_view text);

  /// Whether strings can be counted without a look at them.
  bool only_counts() const { return settings_.count && direct_ && !settings_.match; }
  /// On any thread.
  void render(const StringBatch& batch, Rendered& out) const;
  /// In order of address. False: no more is wanted.
  bool deliver(Rendered& found);
  /// What was kept back until all are known.
  Expected<void> finish();
  const std::string& head() const { return head_; }
  /// ScanOptions::piece_bytes.
  std::size_t piece_bytes() const { return direct_ && !settings_.count ? view_.piece_bytes() : 0; }

 private:
  void render_matching(const StringBatch& batch, Rendered& out) const;
  bool judge(std::string_view record);
  bool collect(std::string_view record);
  bool show(std::string_view record);
  bool keep(const Result<void>& done);

  const StringsSettings& settings_;
  const Snapshot& snapshot_;
  StringsOutput& output_;
  bool direct_;
  formats::StringsView view_;
  formats::DuplicatesView duplicates_view_;
  std::string head_;
  std::optional<StringSieve> sieve_;
  std::optional<StringCounter> counter_;
  std::optional<RecordSort> sort_;
  std::optional<Failure> failure_;
};

}  // namespace vmscan::cli
