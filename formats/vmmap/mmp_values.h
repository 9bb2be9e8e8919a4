// Numbers in a .mmp and what they mean: UseType, PAGE_* constants, FILETIME.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "libvmscan/base/bytes.h"
#include "libvmscan/model/region.h"

namespace vmscan::formats {

struct UseType {
  std::uint64_t number;
  RegionType type;
};

inline constexpr std::array<UseType, 10> use_types{{
    {0, RegionType::Heap},
    {1, RegionType::Stack},
    {2, RegionType::Image},
    {3, RegionType::MappedFile},
    {4, RegionType::PrivateData},
    {5, RegionType::Shareable},
    {6, RegionType::Free},
    {8, RegionType::ManagedHeap},
    {9, RegionType::PageTable},
    {10, RegionType::Unusable},
}};

constexpr std::uint64_t use_type_of(RegionType type) {
  for (const UseType& entry : use_types)
    if (entry.type == type) return entry.number;
  return 4;
}

constexpr std::optional<RegionType> type_of_use(std::uint64_t number) {
  for (const UseType& entry : use_types)
    if (entry.number == number) return entry.type;
  return std::nullopt;
}

/// 100 ns since 1601-01-01 (FILETIME), from and to ms since 1970-01-01. Unknown when it was before 1601.
inline constexpr std::int64_t filetime_epoch_ms = 11'644'473'600'000;
constexpr Bytes filetime_of(std::int64_t unix_ms) {
  constexpr std::int64_t latest = std::int64_t{900'000'000'000'000};
  if (unix_ms < -filetime_epoch_ms || unix_ms > latest) return {};
  return static_cast<std::uint64_t>(unix_ms + filetime_epoch_ms) * 10'000;
}
constexpr std::optional<std::int64_t> unix_ms_of(std::uint64_t filetime) {
  const auto ms = static_cast<std::int64_t>(filetime / 10'000);
  return filetime == 0 ? std::nullopt : std::optional(ms - filetime_epoch_ms);
}

/// From a PAGE_* constant of winnt.h; PAGE_NOCACHE and PAGE_WRITECOMBINE are passed over. Nothing for 0 and the
/// unknown.
constexpr std::optional<Protection> protection_of_page(std::uint64_t constant) {
  Protection protection;
  protection.guard = (constant & 0x100) != 0;
  switch (constant & 0xFF) {
    case 0x01:
      return protection;
    case 0x02:
      protection.read = true;
      return protection;
    case 0x04:
      protection.read = protection.write = true;
      return protection;
    case 0x08:
      protection.read = protection.write = protection.copy_on_write = true;
      return protection;
    case 0x10:
      protection.execute = true;
      return protection;
    case 0x20:
      protection.execute = protection.read = true;
      return protection;
    case 0x40:
      protection.execute = protection.read = protection.write = true;
      return protection;
    case 0x80:
      protection.execute = protection.read = protection.write = protection.copy_on_write = true;
      return protection;
    default:
      return std::nullopt;
  }
}

}  // namespace vmscan::formats
