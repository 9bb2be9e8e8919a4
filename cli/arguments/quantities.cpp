#include "cli/arguments/quantities.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

#include "formats/views/text.h"

namespace vmscan::cli {
namespace {

struct Unit {
  std::string_view name;
  double milliseconds;
};
constexpr std::array<Unit, 6> units{{{"ms", 1}, {"s", 1e3}, {"", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};

template <class T>
std::optional<T> whole_number(std::string_view text, int base) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Expected<std::chrono::milliseconds> parse_duration(std::string_view option, std::string_view text) {
  constexpr double longest = 365.0 * 86400e3;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& known : units)
    if (error == std::errc{} && known.name == unit && value * known.milliseconds >= 1 &&
        value * known.milliseconds <= longest)
      return std::chrono::milliseconds(static_cast<std::int64_t>(value * known.milliseconds));
  return failure(exit_usage,
                 fmt::format("{} {}: not a duration: write 250ms, 5s, 10m or 2h", option, formats::quote(text)));
}

Expected<std::uint64_t> parse_count(std::string_view option, std::string_view text) {
  const auto value = whole_number<std::uint64_t>(text, 10);
  if (value && *value > 0) return *value;
  return failure(exit_usage, fmt::format("{} {}: not a whole number above 0", option, formats::quote(text)));
}

Expected<Address> parse_address(std::string_view option, std::string_view text) {
  const bool marked = text.starts_with("0x") || text.starts_with("0X");
  const bool hex = marked || text.find_first_of("abcdefABCDEF") != std::string_view::npos;  // as maps and gdb print it
  if (const auto value = whole_number<Address>(marked ? text.substr(2) : text, hex ? 16 : 10)) return *value;
  return failure(exit_usage,
                 fmt::format("{} {}: not an address: write 0x7f12… or a decimal number", option, formats::quote(text)));
}

}  // namespace vmscan::cli
