// Regions that a comparison shall not see.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/model/snapshot.h"

namespace vmscan {

/// "GLOB" takes regions whose details (path, name) it matches, as a whole or, without a slash in it, their last part;
/// "type:heap" by type and "rule:GLOB" by the name of the rule. In a glob * is any text, ? any character, and
/// everything else itself; upper and lower case differ.
struct IgnorePattern {
  enum class Subject : std::uint8_t { Details, Type, Rule };
  Subject subject = Subject::Details;
  RegionType type = RegionType::PrivateData;  // Subject::Type
  std::string glob;
  std::string text;  // as it was written

  bool matches(const Region& region) const;
};

struct IgnoreUse {
  std::string pattern;
  std::size_t base = 0, now = 0;  // regions that it took out; the first pattern that matches counts
};

/// Error Malformed: empty, or an unknown type.
Result<IgnorePattern> parse_ignore_pattern(std::string_view text);
/// One pattern a line; empty lines and lines that begin with # say nothing. Errors name the line.
Result<std::vector<IgnorePattern>> parse_ignore_file(std::string_view text);

/// Takes the ignored regions out of the snapshot and returns the sums of the others. What was taken does not become
/// Free. `uses` has one element for each pattern, of which the member `count` is raised.
Summary totals_without_ignored(Snapshot& snapshot, const std::vector<IgnorePattern>& patterns,
                               std::vector<IgnoreUse>& uses, std::size_t IgnoreUse::*count);

bool glob_matches(std::string_view glob, std::string_view text);

}  // namespace vmscan
