#include "libvmscan/classify/section_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace vmscan {

std::string names_in_block(std::vector<NamedPart> parts, Range block) {
  constexpr std::size_t shown = 4;
  std::erase_if(parts, [&](const NamedPart& part) { return !part.range.overlaps(block); });
  const std::size_t all = parts.size();
  std::stable_sort(parts.begin(), parts.end(), [&](const NamedPart& a, const NamedPart& b) {
    return a.range.intersect(block).size() > b.range.intersect(block).size();
  });
  parts.resize(std::min(all, shown));
  std::sort(parts.begin(), parts.end(),
            [](const NamedPart& a, const NamedPart& b) { return a.range.begin < b.range.begin; });
  std::string names;
  for (const NamedPart& part : parts)
    fmt::format_to(std::back_inserter(names), "{}{}", names.empty() ? "" : " ", part.name);
  if (all > shown) names += fmt::format(" +{}", all - shown);
  return names;
}

}  // namespace vmscan
