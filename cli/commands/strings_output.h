// Where the lines of vmscan strings go, up to --limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/arguments/strings_options.h"
#include "cli/platform/system.h"

namespace vmscan::cli {

class StringsOutput {
 public:
  /// To standard output, or to a file that appears at the end.
  static Expected<StringsOutput> open(const StringsArguments& arguments, const StringsSettings& settings);

  /// Adds `count` strings, a line each (none when they are only counted). `head` comes before the first. False: the
  /// limit is reached, it cannot be written, or nobody reads it any more.
  bool add(const std::string& head, std::string& lines, std::uint64_t count);
  std::uint64_t shown() const { return shown_; }
  /// Writes what is left, and `tail`.
  std::optional<Failure> finish(const std::string& head, std::string_view tail);

 private:
  explicit StringsOutput(const StringsSettings& settings) : settings_(&settings) {}
  bool write(std::string_view text);
  void put(std::string_view text);
  void flush();

  const StringsSettings* settings_;
  std::optional<NewFile> file_;
  std::string buffer_;
  std::uint64_t shown_ = 0;
  bool begun_ = false, closed_ = false;
  std::optional<Failure> failure_;
};

}  // namespace vmscan::cli
