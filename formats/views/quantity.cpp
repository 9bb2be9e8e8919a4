#include "formats/views/quantity.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace vmscan::formats {
namespace {

constexpr std::string_view suffix_of(Units units) {
  switch (units) {
    case Units::B:
      return " B";
    case Units::K:
      return " K";
    case Units::M:
      return " M";
    case Units::G:
      return " G";
    case Units::Auto:
      break;
  }
  return "";
}

}  // namespace

std::string format_quantity(Bytes value, bool in_bytes, Units units) {
  if (!value || !in_bytes) return format_count(value);
  if (*value == 0) return "0";
  return fmt::format("{}{}", format_size(value, units), suffix_of(units));
}

std::string format_delta(Delta delta, bool in_bytes, Units units) {
  if (!delta) return "?";
  const std::uint64_t amount = static_cast<std::uint64_t>(*delta < 0 ? -*delta : *delta);
  const std::string_view sign = *delta > 0 ? "+" : *delta < 0 ? "-" : "";
  return fmt::format("{}{}", sign, format_quantity(amount, in_bytes, units));
}

std::string format_rate(double per_hour, bool in_bytes) {
  constexpr std::array<std::string_view, 5> suffixes{" B", " KiB", " MiB", " GiB", " TiB"};
  double amount = std::fabs(per_hour);
  std::size_t unit = 0;
  for (; in_bytes && amount >= 999.5 && unit + 1 < suffixes.size(); ++unit) amount /= 1024;
  const int decimals = amount >= 99.5 || amount == 0 ? 0 : amount >= 9.95 ? 1 : 2;
  return fmt::format("{}{:.{}f}{}/h", per_hour < 0 ? "-" : "", amount, decimals,
                     in_bytes ? suffixes[unit] : std::string_view());
}

}  // namespace vmscan::formats
