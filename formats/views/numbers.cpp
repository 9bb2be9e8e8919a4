#include <fmt/format.h>

#include <array>
#include <limits>

#include "formats/views/table.h"

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

constexpr std::uint64_t divide_half_up(std::uint64_t value, unsigned shift) {
  return (value >> shift) + (value >> (shift - 1) & 1);
}

/// A number of tenths of a unit.
struct Tenths {
  std::uint64_t whole = 0;
  std::uint64_t tenth = 0;
};

constexpr Tenths tenths_of(std::uint64_t value, unsigned shift) {
  const std::uint64_t rest = value & ((std::uint64_t{1} << shift) - 1);
  const std::uint64_t tenth = divide_half_up(rest * 10, shift);
  return tenth == 10 ? Tenths{(value >> shift) + 1, 0} : Tenths{value >> shift, tenth};
}

/// Three or four digits and the unit that makes them fit.
std::string automatic(std::uint64_t value) {
  constexpr std::array<std::string_view, 6> suffixes{"K", "M", "G", "T", "P", "E"};
  if (value < 1024) return fmt::format("{} B", value);
  for (unsigned i = 0; i < suffixes.size(); ++i) {
    const unsigned shift = 10 * (i + 1);
    const Tenths fine = tenths_of(value, shift);
    if (fine.whole < 100) return fmt::format("{}.{} {}", fine.whole, fine.tenth, suffixes[i]);
    const std::uint64_t coarse = divide_half_up(value, shift);
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
  const Tenths tenths = tenths_of(*bytes, shift_of(units));
  if (*bytes != 0 && tenths.whole == 0 && tenths.tenth == 0) return "<0.1";
  return fmt::format("{}.{}", grouped(tenths.whole), tenths.tenth);
}

std::optional<std::uint64_t> ten_thousandths(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max() / 10'000;
  const std::uint64_t whole = a / b, rest = a % b;
  if (whole >= most) return std::nullopt;
  const bool fits = rest <= most;
  const std::uint64_t scaled = fits ? rest * 10'000 : rest, unit = fits ? b : b / 10'000;  // b is large where rest is
  return whole * 10'000 + scaled / unit + (scaled % unit >= unit - unit / 2 ? 1 : 0);
}

std::string format_hundredths(std::uint64_t hundredths) {
  return fmt::format("{}.{:02}", grouped(hundredths / 100), hundredths % 100);
}

std::string format_count(Bytes count) { return count.known() ? grouped(*count) : "?"; }

}  // namespace vmscan::formats
