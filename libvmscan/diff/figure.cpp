#include "libvmscan/diff/figure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include "libvmscan/base/nearest.h"

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

constexpr std::array<Measure, 2> measures_of_heaps{{
    {.name = "live", .title = "Live", .in_bytes = true, .of_live = &BlockSum::bytes},
    {.name = "live_blocks", .title = "Live blocks", .in_bytes = false, .of_live = &BlockSum::blocks},
}};

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

Error unknown_measure(std::string_view name, bool of_heaps) {
  std::vector<std::string_view> known;
  for (const Measure& measure : measures) known.push_back(measure.name);
  for (const Measure& measure : measures_of_heaps)
    if (of_heaps) known.push_back(measure.name);
  return unknown_name("column", name, known);
}

const Measure* find_in(std::span<const Measure> list, std::string_view wanted) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Measure& m) { return joined(m.name) == wanted; });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace

std::span<const Measure> all_measures() { return measures; }

std::span<const Measure> heap_measures() { return measures_of_heaps; }

const Measure* find_measure(std::string_view name) {
  const std::string wanted = joined(name);
  return find_in(measures, wanted == "regions" ? "count" : wanted);
}

Bytes Figure::of(const Summary& summary) const {
  if (measure->of_live == nullptr)
    return measure->of(type ? summary.rows[static_cast<std::size_t>(*type)] : summary.total);
  if (summary.heap == nullptr) return {};
  if (!type_name.empty()) {
    if (summary.heap->types.empty()) return {};  // nobody looked, or no class has virtual functions
    return summary.heap->live_of(type_name).*measure->of_live;
  }
  return (request ? summary.heap->live_of(*request) : summary.heap->total().live).*measure->of_live;
}

const HeapShortfall* Figure::shortfall(const Summary& summary) const {
  if (type != RegionType::Heap && type != RegionType::PrivateData) return nullptr;
  const auto figures = measure->of_live ? HeapShortfall::Figures::Blocks : HeapShortfall::Figures::Regions;
  const auto found = std::ranges::find(summary.heap_shortfalls, figures, &HeapShortfall::figures);
  return found == summary.heap_shortfalls.end() ? nullptr : &*found;
}

Figure::Doubt Figure::doubt() const {
  if (!measure->in_bytes && measure->of_live == nullptr) return Doubt::Either;
  return type == RegionType::PrivateData ? Doubt::TooHigh : Doubt::TooLow;
}

std::string Figure::name() const {
  const std::string which = request              ? fmt::format("[{}]", *request)
                            : !type_name.empty() ? fmt::format("[{}]", type_name)
                                                 : std::string{};
  return fmt::format("{}.{}{}", type ? name_of(*type) : total_name, measure->name, which);
}

Result<Figure> parse_figure(std::string_view type, std::string_view measure) {
  const std::string wanted = joined(type);
  Figure figure{std::nullopt, find_measure(measure), std::nullopt};
  for (const RegionTypeName& known : region_types) {
    if (joined(known.name) == wanted) figure.type = known.type;
  }
  if (figure.type == RegionType::Heap && figure.measure == nullptr)
    figure.measure = find_in(measures_of_heaps, joined(measure));
  if (!figure.type && wanted != total_name) return std::unexpected(unknown_type(type));
  if (figure.measure == nullptr) return std::unexpected(unknown_measure(measure, figure.type == RegionType::Heap));
  return figure;
}

}  // namespace vmscan
