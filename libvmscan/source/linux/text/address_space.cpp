#include "libvmscan/source/linux/text/address_space.h"

#include <algorithm>

namespace vmscan {

std::optional<Range> linux_address_space(const Target& target, const std::vector<Mapping>& mappings) {
  Address top = 0;
  for (const Mapping& mapping : mappings) top = std::max(top, mapping.range.end);
  if (target.pointer_bits == 32U) return Range{0, 0xffffe000};
  const Address page = target.page_size;
  if (target.machine == "x86_64") {
    const Address four_levels = (Address{1} << 47) - page, five_levels = (Address{1} << 56) - page;
    return Range{0, top <= four_levels ? four_levels : five_levels};
  }
  if (target.machine == "aarch64") return Range{0, Address{1} << (top <= Address{1} << 48 ? 48 : 52)};
  return std::nullopt;
}

}  // namespace vmscan
