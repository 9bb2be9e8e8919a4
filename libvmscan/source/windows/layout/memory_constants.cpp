#include "libvmscan/source/windows/layout/memory_constants.h"

namespace vmscan {

std::optional<State> state_of_memory(std::uint32_t value) {
  switch (value) {
    case 0x1000:
      return State::Committed;
    case 0x2000:
      return State::Reserved;
    case 0x10000:
      return State::Free;
    default:
      return std::nullopt;
  }
}

AllocationKind kind_of_memory(std::uint32_t value) {
  switch (value) {
    case 0x20000:
      return AllocationKind::Private;
    case 0x40000:
      return AllocationKind::Mapped;
    case 0x1000000:
      return AllocationKind::Image;
    default:
      return AllocationKind::Unknown;
  }
}

std::optional<Protection> protection_of_pages(std::uint32_t value) {
  Protection protection{.guard = (value & 0x100) != 0};
  switch (value & 0xff) {
    case 0x01:
      return protection;
    case 0x80:
      protection.execute = true;
      [[fallthrough]];
    case 0x08:
      protection.read = protection.write = protection.copy_on_write = true;
      return protection;
    case 0x40:
      protection.execute = true;
      [[fallthrough]];
    case 0x04:
      protection.read = protection.write = true;
      return protection;
    case 0x20:
      protection.execute = true;
      [[fallthrough]];
    case 0x02:
      protection.read = true;
      return protection;
    case 0x10:
      protection.execute = true;
      return protection;
    default:
      return std::nullopt;
  }
}

Protection protection_of_section(std::uint32_t characteristics) {
  const bool write = (characteristics & 0x80000000) != 0;
  return {.read = write || (characteristics & 0x40000000) != 0,
          .write = write,
          .execute = (characteristics & 0x20000000) != 0,
          .copy_on_write = write};
}

}  // namespace vmscan
