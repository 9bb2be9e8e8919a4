#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "formats/native/json_writer.h"

namespace vmscan::formats {
namespace {

// RFC 3339 knows the years 0000 to 9999.
constexpr std::int64_t earliest_ms = -62'167'219'200'000;
constexpr std::int64_t latest_ms = 253'402'300'799'999;
constexpr std::int64_t ms_per_day = 86'400'000;

/// Takes text from the front, and remembers whether everything fitted.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  int digits(std::size_t count, int smallest, int largest) {
    int value = 0;
    if (rest_.size() < count) return failed();
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return failed();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value < smallest || value > largest ? failed() : value;
  }

  void literal(std::string_view choices) {
    if (rest_.empty() || choices.find(rest_.front()) == std::string_view::npos) {
      failed();
    } else {
      rest_.remove_prefix(1);
    }
  }

  /// ".123456" as milliseconds; 0 when there is none.
  int fraction_ms() {
    if (!rest_.starts_with('.')) return 0;
    rest_.remove_prefix(1);
    int value = 0, count = 0;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; ++count, rest_.remove_prefix(1)) {
      if (count < 3) value = value * 10 + (rest_.front() - '0');
    }
    if (count == 0) return failed();
    for (; count < 3; ++count) value *= 10;
    return value;
  }

  /// "Z", "+01:00" or "-01:00", in minutes.
  int offset_minutes() {
    if (rest_ == "Z" || rest_ == "z") return 0;
    const bool negative = rest_.starts_with('-');
    literal("+-");
    const int hours = digits(2, 0, 23);
    literal(":");
    const int minutes = hours * 60 + digits(2, 0, 59);
    if (!rest_.empty()) failed();
    return negative ? -minutes : minutes;
  }

  bool ok() const { return ok_; }

 private:
  int failed() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::string format_time(std::int64_t unix_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> moment{milliseconds(std::clamp(unix_ms, earliest_ms, latest_ms))};
  const auto day = floor<days>(moment);
  const year_month_day date{day};
  const hh_mm_ss time{moment - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

bool parse_time(std::string_view text, std::int64_t& unix_ms) {
  using namespace std::chrono;
  Cursor cursor(text);
  const int year_number = cursor.digits(4, 0, 9999);
  cursor.literal("-");
  const auto month_number = static_cast<unsigned>(cursor.digits(2, 1, 12));
  cursor.literal("-");
  const auto day_number = static_cast<unsigned>(cursor.digits(2, 1, 31));
  cursor.literal("Tt ");
  std::int64_t ms = cursor.digits(2, 0, 23);
  cursor.literal(":");
  ms = ms * 60 + cursor.digits(2, 0, 59);
  cursor.literal(":");
  ms = (ms * 60 + cursor.digits(2, 0, 60)) * 1000;  // 60: a leap second, the next minute's first
  ms += cursor.fraction_ms();
  ms -= std::int64_t{60'000} * cursor.offset_minutes();
  const year_month_day date{year(year_number), month(month_number), day(day_number)};
  if (!cursor.ok() || !date.ok()) return false;
  unix_ms = sys_days(date).time_since_epoch().count() * ms_per_day + ms;
  return unix_ms >= earliest_ms && unix_ms <= latest_ms;
}

}  // namespace vmscan::formats
