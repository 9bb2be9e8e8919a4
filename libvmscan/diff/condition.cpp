#include "libvmscan/diff/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vmscan {
namespace {

constexpr std::size_t longest_condition = 200;
constexpr std::size_t max_quoted = 60;
constexpr std::size_t max_decimals = 4;
constexpr std::uint64_t max_percent_e4 = 10'000'000'000;  // 1,000,000 %: its products with a remainder fit 64 bits

struct Unit {
  std::string_view name;
  std::uint64_t bytes;
};

/// The first of each pair is the normal form; the largest first.
constexpr std::array<Unit, 9> units{{{"tib", 1ULL << 40},
                                     {"t", 1ULL << 40},
                                     {"gib", 1ULL << 30},
                                     {"g", 1ULL << 30},
                                     {"mib", 1ULL << 20},
                                     {"m", 1ULL << 20},
                                     {"kib", 1ULL << 10},
                                     {"k", 1ULL << 10},
                                     {"b", 1}}};
constexpr std::array<Unit, 4> normal_units{
    {{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}}};

struct PeriodName {
  std::string_view name;
  Condition::Period period;
  double per_hour;
};

/// The normal forms first, indexed by Period.
constexpr std::array<PeriodName, 5> periods{{{"s", Condition::Period::Second, 3600.0},
                                             {"min", Condition::Period::Minute, 60.0},
                                             {"h", Condition::Period::Hour, 1.0},
                                             {"d", Condition::Period::Day, 1.0 / 24.0},
                                             {"m", Condition::Period::Minute, 60.0}}};

const PeriodName& name_of(Condition::Period period) { return periods[static_cast<std::size_t>(period)]; }

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr bool is_word(char c) { return (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c) || c == '_' || c == '-'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (is_blank(text.front()) || text.front() == '\r')) text.remove_prefix(1);
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

/// Digits with at most four decimals: value / 10^decimals.
struct Decimal {
  std::uint64_t value = 0;
  std::size_t decimals = 0;

  std::uint64_t divisor() const {
    std::uint64_t power = 1;
    for (std::size_t i = 0; i < decimals; ++i) power *= 10;
    return power;
  }
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Condition> parse();

 private:
  Result<void> parse_subject();
  Result<void> parse_request();
  Result<void> parse_class();
  Result<void> parse_operator();
  Result<void> parse_growth();
  Result<void> parse_larger();
  Result<void> parse_slope();
  Result<void> parse_amount(const Decimal& number, std::size_t at);
  Result<void> parse_percent(const Decimal& number, std::size_t at);
  Result<Decimal> parse_decimal();
  Result<void> expect(char c, std::string_view why);

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool next_is(char c) {
    skip_blanks();
    return at_ < text_.size() && text_[at_] == c;
  }
  bool take(char c) {
    const bool there = next_is(c);
    if (there) ++at_;
    return there;
  }
  /// Letters, digits, "_" and "-"; may be empty.
  std::string_view take_word() {
    skip_blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  std::string take_lower_word() {
    std::string word(take_word());
    std::transform(word.begin(), word.end(), word.begin(), lower);
    return word;
  }
  std::unexpected<Error> wrong(std::size_t at, std::string_view why) const {
    return fail(ErrorCode::Malformed,
                fmt::format("condition '{}', column {}: {}", text_.substr(0, max_quoted), at + 1, why));
  }
  std::unexpected<Error> wrong_here(std::string_view why) {
    skip_blanks();
    return wrong(at_, why);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Condition condition_;
};

Result<void> Parser::expect(char c, std::string_view why) {
  if (!take(c)) return wrong_here(why);
  return {};
}

Result<void> Parser::parse_subject() {
  const std::size_t dot = text_.find('.');
  if (dot == std::string_view::npos || dot > text_.find('>'))
    return wrong(0, "it begins with TYPE.COLUMN, such as heap.private_ws");
  const std::string_view type = trimmed(text_.substr(0, dot));
  at_ = dot + 1;
  skip_blanks();
  const std::size_t column_at = at_;
  const std::string_view column = take_word();
  const auto figure = parse_figure(type, column);
  if (!figure) return wrong(parse_figure(type, "size") ? column_at : 0, figure.error().message);
  condition_.figure = *figure;
  if (const auto done = parse_request(); !done) return done;
  const std::size_t word_at = at_;
  const std::string word = take_lower_word();
  if (word == "slope") {
    condition_.kind = Condition::Kind::Slope;
  } else if (!word.empty()) {
    at_ = word_at;
    return wrong_here("expected 'slope', '>' or '>='");
  }
  return {};
}

/// "[48]" or "[shop::Order]" behind a column of heaps.
Result<void> Parser::parse_request() {
  if (!next_is('[')) return {};
  if (condition_.figure.measure->of_live == nullptr)
    return wrong_here("only heap.live and heap.live_blocks can be asked for one size or class");
  take('[');
  skip_blanks();
  const std::size_t begin = at_;
  if (at_ < text_.size() && !is_digit(text_[at_])) return parse_class();
  const auto number = parse_decimal();
  if (!number) return std::unexpected(number.error());
  if (number->decimals > 0) return wrong(begin, "this is not a whole number of bytes");
  condition_.figure.request = number->value;
  return expect(']', "expected ']' behind a size");
}

/// Up to the bracket that closes: a class may have brackets in its name.
Result<void> Parser::parse_class() {
  const std::size_t begin = at_;
  for (int open = 1; at_ < text_.size(); ++at_) {
    if (text_[at_] == '[') ++open;
    if (text_[at_] == ']' && --open == 0) break;
  }
  if (at_ == text_.size()) return wrong(begin, "expected ']' behind a class");
  std::string_view name = text_.substr(begin, at_ - begin);
  while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
  if (name.empty()) return wrong(begin, "expected a size or a class");
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(name, control)) return wrong(begin, "no class has a control character in its name");
  condition_.figure.type_name = name;
  return expect(']', "expected ']' behind a class");
}

Result<void> Parser::parse_operator() {
  if (const auto done = expect('>', "expected '>' or '>='"); !done) return done;
  if (at_ < text_.size() && text_[at_] == '=') {
    ++at_;
    condition_.or_equal = true;
  }
  return {};
}

Result<Decimal> Parser::parse_decimal() {
  skip_blanks();
  const std::size_t begin = at_;
  if (at_ == text_.size() || !is_digit(text_[at_])) return wrong(at_, "expected a number");
  Decimal number;
  bool point = false;
  for (; at_ < text_.size() && (is_digit(text_[at_]) || (text_[at_] == '.' && !point)); ++at_) {
    if (text_[at_] == '.') {
      point = true;
      continue;
    }
    const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
    if (number.value > (Bytes::max_value - digit) / 10) return wrong(begin, "this number is too large");
    number.value = number.value * 10 + digit;
    if (point && ++number.decimals > max_decimals) return wrong(begin, "a number has at most four decimals");
  }
  if (point && number.decimals == 0) return wrong(at_, "expected a digit after the point");
  return number;
}

Result<void> Parser::parse_amount(const Decimal& number, std::size_t at) {
  skip_blanks();
  const std::size_t unit_at = at_;
  const std::string name = take_lower_word();
  std::uint64_t unit = 1;
  if (!name.empty()) {
    const auto known = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
    if (!condition_.figure.measure->in_bytes)
      return wrong(unit_at, fmt::format("{} is a number of things and has no unit", condition_.figure.measure->name));
    if (name.size() == 2 && name[1] == 'b' && std::string_view("kmgt").find(name[0]) != std::string_view::npos)
      return wrong(unit_at, "KB, MB, GB and TB mean 1000 to some and 1024 to others: write KiB, MiB, GiB, TiB");
    if (known == units.end())
      return wrong(unit_at, fmt::format("unknown unit '{}'; there are B, KiB, MiB, GiB, TiB", name));
    unit = known->bytes;
  }
  if (unit > 1 && number.value > Bytes::max_value / unit) return wrong(at, "this size is beyond 64 bits");
  if (number.value * unit % number.divisor() != 0) {
    return wrong(
        at, condition_.figure.measure->in_bytes ? "this is not a whole number of bytes" : "this is not a whole number");
  }
  condition_.amount = number.value * unit / number.divisor();
  return {};
}

Result<void> Parser::parse_percent(const Decimal& number, std::size_t at) {
  constexpr std::uint64_t scale = 10'000;
  if (number.value / number.divisor() > max_percent_e4 / scale) return wrong(at, "at most 1000000% can be asked for");
  condition_.percent_e4 = number.value * (scale / number.divisor());
  if (condition_.percent_e4 > max_percent_e4) return wrong(at, "at most 1000000% can be asked for");
  return {};
}

/// Behind "+max(": an amount and a percentage, in either order.
Result<void> Parser::parse_larger() {
  constexpr std::string_view shape = "expected +max(AMOUNT,PERCENT%), such as +max(1MiB,5%)";
  condition_.kind = Condition::Kind::LargerGrowth;
  bool amount = false, percent = false;
  if (const auto done = expect('(', shape); !done) return done;
  for (int i = 0; i < 2; ++i) {
    if (i == 1) {
      if (const auto done = expect(',', shape); !done) return done;
    }
    skip_blanks();
    const std::size_t begin = at_;
    const auto number = parse_decimal();
    if (!number) return std::unexpected(number.error());
    const bool relative = take('%');
    if (relative ? percent : amount) return wrong(begin, shape);
    (relative ? percent : amount) = true;
    const auto done = relative ? parse_percent(*number, begin) : parse_amount(*number, begin);
    if (!done) return done;
  }
  return expect(')', shape);
}

Result<void> Parser::parse_growth() {
  const std::size_t begin = at_;
  const std::string word = take_lower_word();
  if (word == "max") return parse_larger();
  at_ = begin;
  condition_.kind = Condition::Kind::Growth;
  const auto number = parse_decimal();
  if (!number) return std::unexpected(number.error());
  if (!take('%')) return parse_amount(*number, begin);
  condition_.kind = Condition::Kind::RelativeGrowth;
  return parse_percent(*number, begin);
}

Result<void> Parser::parse_slope() {
  if (next_is('+')) return wrong_here("a slope is an amount in a time, without '+': 1MiB/h");
  skip_blanks();
  const std::size_t begin = at_;
  const auto number = parse_decimal();
  if (!number) return std::unexpected(number.error());
  if (next_is('%')) return wrong_here("a slope is an amount in a time, not a percentage: 1MiB/h");
  if (const auto done = parse_amount(*number, begin); !done) return done;
  if (const auto done = expect('/', "a slope needs a time: /s, /min, /h or /d"); !done) return done;
  skip_blanks();
  const std::size_t period_at = at_;
  const std::string name = take_lower_word();
  const auto known = std::find_if(periods.begin(), periods.end(), [&](const PeriodName& p) { return p.name == name; });
  if (known == periods.end()) return wrong(period_at, "expected a time: s, min, h or d");
  condition_.period = known->period;
  return {};
}

Result<Condition> Parser::parse() {
  if (text_.size() > longest_condition) return wrong(longest_condition, "too long for a condition");
  if (const auto done = parse_subject(); !done) return std::unexpected(done.error());
  if (const auto done = parse_operator(); !done) return std::unexpected(done.error());
  Result<void> done;
  if (condition_.kind == Condition::Kind::Slope) {
    done = parse_slope();
  } else if (take('+')) {
    done = parse_growth();
  } else {
    const std::size_t begin = at_;
    const auto number = parse_decimal();
    if (!number) return std::unexpected(number.error());
    if (next_is('%')) return wrong_here("a percentage is a growth: write '+' before it");
    done = parse_amount(*number, begin);
  }
  if (!done) return std::unexpected(done.error());
  skip_blanks();
  if (at_ < text_.size()) return wrong(at_, "nothing may follow here");
  return condition_;
}

std::string amount_text(const Condition& condition) {
  if (condition.figure.measure->in_bytes && condition.amount > 0) {
    for (const Unit& unit : normal_units) {
      if (condition.amount % unit.bytes == 0) return fmt::format("{}{}", condition.amount / unit.bytes, unit.name);
    }
  }
  return fmt::format("{}", condition.amount);
}

std::string percent_text(std::uint64_t percent_e4) {
  std::string text = fmt::format("{}.{:04}", percent_e4 / 10'000, percent_e4 % 10'000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text + '%';
}

}  // namespace

double Condition::amount_per_hour() const { return static_cast<double>(amount) * name_of(period).per_hour; }

Result<Condition> parse_condition(std::string_view text) { return Parser(trimmed(text)).parse(); }

std::string limit_text(const Condition& condition) {
  switch (condition.kind) {
    case Condition::Kind::Absolute:
      return amount_text(condition);
    case Condition::Kind::Growth:
      return '+' + amount_text(condition);
    case Condition::Kind::RelativeGrowth:
      return '+' + percent_text(condition.percent_e4);
    case Condition::Kind::LargerGrowth:
      return fmt::format("+max({},{})", amount_text(condition), percent_text(condition.percent_e4));
    case Condition::Kind::Slope:
      return fmt::format("{}/{}", amount_text(condition), name_of(condition.period).name);
  }
  return {};
}

std::string to_string(const Condition& condition) {
  return fmt::format("{}{} {} {}", condition.figure.name(), condition.kind == Condition::Kind::Slope ? " slope" : "",
                     condition.or_equal ? ">=" : ">", limit_text(condition));
}

Result<std::vector<Condition>> parse_gate_file(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<Condition> conditions;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end).substr(0, text.substr(0, end).find('#')));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    const auto condition = parse_condition(line);
    if (!condition) return fail(ErrorCode::Malformed, fmt::format("line {}: {}", number, condition.error().message));
    if (conditions.size() == max_conditions)
      return fail(ErrorCode::Malformed, fmt::format("line {}: more than {} conditions", number, max_conditions));
    conditions.push_back(*condition);
  }
  if (conditions.empty()) return fail(ErrorCode::Malformed, "no condition in it");
  return conditions;
}

}  // namespace vmscan
