#include "libvmscan/diff/figure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "libvmscan/model/nearest.h"

namespace vmscan {
namespace {

constexpr std::string_view total_name = "total";
constexpr std::size_t max_quoted = 40;

constexpr auto make_measures() {
  std::array<Measure, usage_columns.size() + 4> list{};
  std::size_t at = 0;
  list[at++] = {"size", "Size", true, &TypeTotal::size, nullptr};
  for (const UsageColumn& column : usage_columns)
    list[at++] = {column.name, column.title, true, nullptr, column.member};
  list[at++] = {"count", "Count", false, &TypeTotal::regions, nullptr};
  list[at++] = {"blocks", "Blocks", false, &TypeTotal::blocks, nullptr};
  list[at++] = {"largest", "Largest", true, &TypeTotal::largest, nullptr};
  return list;
}

constexpr auto measures = make_measures();

/// Lower case without what separates words: "Mapped File", "mapped_file" and "MappedFile" are one name.
std::string joined(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == ' ' || c == '\t' || c == '_' || c == '-') continue;
    text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

Error unknown_name(std::string_view what, std::string_view name, std::span<const std::string_view> known) {
  const auto near = nearest(name, known);
  const std::string hint =
      near ? fmt::format("did you mean '{}'?", *near) : fmt::format("there are {}", fmt::join(known, ", "));
  return {ErrorCode::Malformed, fmt::format("unknown {} '{}'; {}", what, name.substr(0, max_quoted), hint)};
}

Error unknown_type(std::string_view name) {
  std::array<std::string_view, region_types.size() + 1> known;
  for (std::size_t i = 0; i < region_types.size(); ++i) known[i] = region_types[i].name;
  known.back() = total_name;
  return unknown_name("type", name, known);
}

Error unknown_measure(std::string_view name) {
  std::array<std::string_view, measures.size()> known;
  for (std::size_t i = 0; i < measures.size(); ++i) known[i] = measures[i].name;
  return unknown_name("column", name, known);
}

}  // namespace

std::span<const Measure> all_measures() { return measures; }

const Measure* find_measure(std::string_view name) {
  const std::string wanted = joined(name);
  for (const Measure& measure : measures) {
    if (joined(measure.name) == wanted) return &measure;
  }
  return wanted == "regions" ? find_measure("count") : nullptr;
}

std::string Figure::name() const { return fmt::format("{}.{}", type ? name_of(*type) : total_name, measure->name); }

Result<Figure> parse_figure(std::string_view type, std::string_view measure) {
  const std::string wanted = joined(type);
  Figure figure{std::nullopt, find_measure(measure)};
  for (const RegionTypeName& known : region_types) {
    if (joined(known.name) == wanted) figure.type = known.type;
  }
  if (!figure.type && wanted != total_name) return std::unexpected(unknown_type(type));
  if (figure.measure == nullptr) return std::unexpected(unknown_measure(measure));
  return figure;
}

}  // namespace vmscan
