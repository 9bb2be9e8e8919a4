#include <fmt/format.h>

#include <array>

#include "formats/table.h"

namespace vmscan::formats {
namespace {

std::string grouped(std::uint64_t value) {
  const std::string digits = fmt::to_string(value);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

constexpr unsigned shift_of(Units units) {
  return units == Units::K ? 10 : units == Units::M ? 20 : units == Units::G ? 30 : 0;
}

constexpr std::uint64_t divide_up(std::uint64_t value, unsigned shift) {
  return (value >> shift) + ((value & ((std::uint64_t{1} << shift) - 1)) != 0 ? 1 : 0);
}

/// A number of tenths of a unit, rounded up.
struct Tenths {
  std::uint64_t whole = 0;
  std::uint64_t tenth = 0;
};

constexpr Tenths tenths_up(std::uint64_t value, unsigned shift) {
  const std::uint64_t rest = value & ((std::uint64_t{1} << shift) - 1);
  const std::uint64_t tenth = divide_up(rest * 10, shift);
  return tenth == 10 ? Tenths{(value >> shift) + 1, 0} : Tenths{value >> shift, tenth};
}

/// Three or four digits and the unit that makes them fit.
std::string automatic(std::uint64_t value) {
  constexpr std::array<std::string_view, 6> suffixes{"K", "M", "G", "T", "P", "E"};
  if (value < 1024) return fmt::format("{} B", value);
  for (unsigned i = 0; i < suffixes.size(); ++i) {
    const unsigned shift = 10 * (i + 1);
    const Tenths fine = tenths_up(value, shift);
    if (fine.whole < 100) return fmt::format("{}.{} {}", fine.whole, fine.tenth, suffixes[i]);
    const std::uint64_t coarse = divide_up(value, shift);
    if (coarse < 1024 || i + 1 == suffixes.size()) return fmt::format("{} {}", coarse, suffixes[i]);
  }
  return {};
}

}  // namespace

std::string format_size(Bytes bytes, Units units) {
  if (!bytes.known()) return "?";
  if (units == Units::Auto) return automatic(*bytes);
  if (units == Units::B) return grouped(*bytes);
  if (units == Units::K) return grouped(divide_up(*bytes, shift_of(units)));
  const Tenths tenths = tenths_up(*bytes, shift_of(units));
  return fmt::format("{}.{}", grouped(tenths.whole), tenths.tenth);
}

std::string format_hundredths(std::uint64_t hundredths) {
  return fmt::format("{}.{:02}", grouped(hundredths / 100), hundredths % 100);
}

std::string format_count(Bytes count) { return count.known() ? grouped(*count) : "?"; }

}  // namespace vmscan::formats
