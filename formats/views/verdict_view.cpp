#include "formats/views/verdict_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "formats/views/markdown.h"
#include "formats/views/quantity.h"
#include "formats/views/text.h"
#include "formats/vmmap/xml_text.h"

namespace vmscan::formats {
namespace {

using Outcome = Verdict::Outcome;

struct OutcomeStyle {
  std::string_view mark, color;
};

constexpr OutcomeStyle style_of(Outcome outcome) {
  if (outcome == Outcome::Passed) return {"✓", "\x1b[32m"};
  return outcome == Outcome::Tripped ? OutcomeStyle{"✗", "\x1b[31m"} : OutcomeStyle{"?", "\x1b[33m"};
}

std::size_t count_of(std::span<const Verdict> verdicts, Outcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(verdicts.begin(), verdicts.end(), [outcome](const Verdict& v) { return v.outcome == outcome; }));
}

bool is_slope(const Verdict& verdict) { return verdict.condition.kind == Condition::Kind::Slope; }

/// "tripped: 1 of 3 conditions", "unknown: 1 of 3 conditions cannot be judged", "passed: 3 conditions".
std::string headline(std::span<const Verdict> verdicts) {
  const auto things = [](std::size_t n) { return n == 1 ? "condition" : "conditions"; };
  const std::size_t tripped = count_of(verdicts, Outcome::Tripped), unknown = count_of(verdicts, Outcome::Unknown);
  const std::size_t all = verdicts.size();
  const std::string also = unknown > 0 ? fmt::format(", {} cannot be judged", unknown) : std::string();
  if (tripped > 0) return fmt::format("tripped: {} of {} {}{}", tripped, all, things(all), also);
  if (unknown > 0) return fmt::format("unknown: {} of {} {} cannot be judged", unknown, all, things(all));
  return fmt::format("passed: {} {}", all, things(all));
}

/// Base, new, delta and limit, as texts.
using Figures = std::array<std::string, 4>;
constexpr std::array<std::string_view, 4> figure_titles{"Base", "New", "Delta", "Limit"};

Figures figures_of(const Verdict& verdict, Units units) {
  const bool in_bytes = verdict.condition.figure.measure->in_bytes;
  const bool has_limit = verdict.limit.known() || !is_slope(verdict);
  return {format_quantity(verdict.base, in_bytes, units), format_quantity(verdict.now, in_bytes, units),
          format_delta(verdict.delta(), in_bytes, units),
          has_limit ? format_quantity(verdict.limit, in_bytes, units) : limit_text(verdict.condition)};
}

/// What a slope condition measured, then the reason.
std::string explanation(const Verdict& verdict) {
  if (!verdict.slope) return verdict.reason;
  const bool in_bytes = verdict.condition.figure.measure->in_bytes;
  const Slope& slope = *verdict.slope;
  return fmt::format("{} (95 %: {} to {}), p {}{}{}", format_rate(slope.per_hour, in_bytes),
                     format_rate(slope.low, in_bytes), format_rate(slope.high, in_bytes),
                     slope.p < 0.0001 ? "< 0.0001" : fmt::format("= {:.4f}", slope.p),
                     verdict.reason.empty() ? "" : "; ", verdict.reason);
}

enum class Side { Left, Right };

std::string padded(std::string_view text, std::size_t width, Side side = Side::Right) {
  const std::string blanks(width - std::min(width, display_width(text)), ' ');
  return side == Side::Right ? blanks + std::string(text) : std::string(text) + blanks;
}

class LineWriter {
 public:
  LineWriter(std::span<const Verdict> verdicts, const TableStyle& style) : verdicts_(verdicts), style_(style) {
    for (std::size_t i = 0; i < figure_titles.size(); ++i) widths_[i] = figure_titles[i].size();
    for (const Verdict& verdict : verdicts) {
      names_.push_back(to_string(verdict.condition));
      figures_.push_back(figures_of(verdict, style.units));
      name_width_ = std::max(name_width_, names_.back().size());
      for (std::size_t i = 0; i < widths_.size(); ++i)
        widths_[i] = std::max(widths_[i], display_width(figures_.back()[i]));
    }
    line_width_ = mark_width + name_width_;
    for (const std::size_t width : widths_) line_width_ += gap + width;
  }

  std::string write() const {
    const bool fits = style_.width == 0 || line_width_ <= style_.width;
    std::string out = colored(fmt::format("Gate {}", headline(verdicts_)), "\x1b[1m");
    out += '\n';
    if (fits && style_.header) out += std::string(mark_width + name_width_, ' ') + cells(figure_titles) + '\n';
    for (std::size_t i = 0; i < verdicts_.size(); ++i) write_verdict(out, i, fits);
    return out;
  }

 private:
  static constexpr std::size_t gap = 2, mark_width = 11;  // "✗ tripped  "
  static constexpr std::string_view reset = "\x1b[0m";

  std::string colored(std::string_view text, std::string_view code) const {
    return style_.color ? fmt::format("{}{}{}", code, text, reset) : std::string(text);
  }

  template <class Texts>
  std::string cells(const Texts& texts) const {
    std::string out;
    for (std::size_t i = 0; i < widths_.size(); ++i) out += std::string(gap, ' ') + padded(texts[i], widths_[i]);
    return out;
  }

  void write_verdict(std::string& out, std::size_t index, bool fits) const {
    const Verdict& verdict = verdicts_[index];
    const auto [mark, color] = style_of(verdict.outcome);
    out += colored(padded(fmt::format("{} {}", mark, name_of(verdict.outcome)), mark_width, Side::Left), color);
    if (fits) {
      out += padded(names_[index], name_width_, Side::Left) + cells(figures_[index]) + '\n';
    } else {
      const Figures& texts = figures_[index];
      out += shorten(names_[index], style_.width - std::min(style_.width, mark_width)) + '\n';
      out += wrapped(fmt::format("base {}, new {}, delta {}, limit {}", texts[0], texts[1], texts[2], texts[3]),
                     mark_width, style_.width);
    }
    if (const std::string text = explanation(verdict); !text.empty()) out += wrapped(text, mark_width, style_.width);
  }

  std::span<const Verdict> verdicts_;
  const TableStyle& style_;
  std::vector<std::string> names_;
  std::vector<Figures> figures_;
  std::array<std::size_t, 4> widths_{};
  std::size_t name_width_ = 0, line_width_ = 0;
};

std::string sentence(const Verdict& verdict) {
  const Figures texts = figures_of(verdict, Units::K);
  const std::string why = explanation(verdict);
  return fmt::format("base {}, new {}, delta {}, limit {}{}{}", texts[0], texts[1], texts[2], texts[3],
                     why.empty() ? "" : ": ", why);
}

}  // namespace

std::string verdict_lines(std::span<const Verdict> verdicts, const TableStyle& style) {
  return verdicts.empty() ? std::string() : LineWriter(verdicts, style).write();
}

void write_slope(JsonWriter& json, const std::optional<Slope>& slope) {
  json.key("slope");
  if (!slope) return json.null();
  json.begin_object();
  json.key("per_hour");
  json.number(slope->per_hour);
  json.key("low");
  json.number(slope->low);
  json.key("high");
  json.number(slope->high);
  json.key("p");
  json.number(slope->p);
  json.key("significant");
  json.boolean(slope->significant);
  json.end_object();
}

void write_gate(JsonWriter& json, std::span<const Verdict> verdicts) {
  json.key("gate");
  json.begin_object();
  json.key("tripped");
  const Outcome outcome = outcome_of(verdicts);
  outcome == Outcome::Unknown ? json.null() : json.boolean(outcome == Outcome::Tripped);
  json.key("conditions");
  json.begin_array();
  for (const Verdict& verdict : verdicts) {
    json.begin_object();
    json.key("condition");
    json.string(to_string(verdict.condition));
    json.key("base");
    json.bytes(verdict.base);
    json.key("new");
    json.bytes(verdict.now);
    json.key("delta");
    verdict.delta() ? json.number(*verdict.delta()) : json.null();
    json.key("limit");
    json.bytes(verdict.limit);
    json.key("verdict");
    json.string(name_of(verdict.outcome));
    json.key("reason");
    verdict.reason.empty() ? json.null() : json.string(verdict.reason);
    write_slope(json, verdict.slope);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

std::string verdict_csv(std::span<const Verdict> verdicts, bool header) {
  const auto number = [](Bytes value) { return value ? fmt::to_string(*value) : std::string(); };
  std::string out = header ? "condition,base,new,delta,limit,verdict,per_hour,low,high,p,reason\n" : "";
  for (const Verdict& verdict : verdicts) {
    const Delta delta = verdict.delta();
    const std::string name = to_string(verdict.condition);
    const std::string slope = verdict.slope ? fmt::format("{},{},{},{}", verdict.slope->per_hour, verdict.slope->low,
                                                          verdict.slope->high, verdict.slope->p)
                                            : ",,,";
    out += fmt::format("{},{},{},{},{},{},{},{}\n", csv_text(name), number(verdict.base), number(verdict.now),
                       delta ? fmt::to_string(*delta) : std::string(), number(verdict.limit), name_of(verdict.outcome),
                       slope, csv_text(verdict.reason));
  }
  return out;
}

std::string verdict_markdown(std::span<const Verdict> verdicts, Units units) {
  if (verdicts.empty()) return {};
  std::string out = fmt::format("**Gate {}**\n\n| | Condition | Base | New | Delta | Limit |\n", headline(verdicts));
  out += "|---|:---|---:|---:|---:|---:|\n";
  for (const Verdict& verdict : verdicts) {
    const Figures texts = figures_of(verdict, units);
    const std::string why = explanation(verdict);
    out += fmt::format("| {} {} | {}{}{} | {} | {} | {} | {} |\n", style_of(verdict.outcome).mark,
                       name_of(verdict.outcome), markdown_code(to_string(verdict.condition)), why.empty() ? "" : "<br>",
                       why, texts[0], texts[1], texts[2], texts[3]);
  }
  return out;
}

std::string verdict_junit(std::string_view suite, std::span<const Verdict> verdicts) {
  const std::string counts = fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\"", verdicts.size(),
                                         count_of(verdicts, Outcome::Tripped), count_of(verdicts, Outcome::Unknown));
  std::string out = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {0}>\n", counts);
  out += fmt::format("  <testsuite name=\"{}\" {}>\n", xml_text(suite), counts);
  for (const Verdict& verdict : verdicts) {
    out +=
        fmt::format("    <testcase classname=\"vmscan.gate\" name=\"{}\">\n", xml_text(to_string(verdict.condition)));
    const std::string text = xml_text(sentence(verdict));
    if (verdict.outcome == Outcome::Passed) {
      out += fmt::format("      <system-out>{}</system-out>\n", text);
    } else {
      const std::string_view element = verdict.outcome == Outcome::Tripped ? "failure" : "error";
      out += fmt::format("      <{0} type=\"{1}\" message=\"{2}\"/>\n", element, name_of(verdict.outcome), text);
    }
    out += "    </testcase>\n";
  }
  return out + "  </testsuite>\n</testsuites>\n";
}

}  // namespace vmscan::formats
