#include "libvmscan/model/region.h"

namespace vmscan {
namespace {

/// "Mapped File", "mapped-file" and "MAPPED_FILE" are one name.
constexpr char folded(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == ' ' || c == '-' ? '_' : c;
}

bool is_name_of(std::string_view text, std::string_view name) {
  if (text.size() != name.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (folded(text[i]) != name[i]) return false;
  }
  return true;
}

}  // namespace

std::optional<RegionType> parse_region_type(std::string_view text) {
  for (const RegionTypeName& entry : region_types) {
    if (is_name_of(text, entry.name)) return entry.type;
  }
  return std::nullopt;
}

std::optional<Protection> Region::protection() const {
  std::optional<Protection> strongest;
  for (const Block& block : blocks) {
    if (!block.protection) continue;
    if (!strongest || page_constant(*block.protection) > page_constant(*strongest)) strongest = block.protection;
  }
  return strongest;
}

}  // namespace vmscan
