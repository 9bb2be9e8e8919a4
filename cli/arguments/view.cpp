#include "cli/arguments/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "cli/arguments/quantities.h"
#include "cli/heading.h"
#include "cli/log.h"
#include "cli/platform/system.h"
#include "formats/views/text.h"
#include "libvmscan/base/nearest.h"

namespace vmscan::cli {
namespace {

/// Notes that say that something could not be read; the others only explain.
constexpr std::array<std::string_view, 29> partial_codes{
    "heap_shortfall",
    "swapped_unread",
    "files_unanswered",
    "arguments_unread",
    "map_denied",
    "pages_unknown",
    "thread_stacks_denied",
    "images_unread",
    "bad_mapping_line",
    "overlapping_mappings",
    "smaps_changed",
    "zero_pages_counted",
    "exec_meanwhile",
    "torn_line",
    "unknown_type",
    "inconsistent",
    "cut_frame",
    "cut_file",
    "cut_table",
    "bad_row",
    "bad_number",
    "missing_blocks",
    "summary_differs",
    "overlapping_regions",
    "core_truncated",
    "core_headers_missing",
    "core_notes_broken",
    "core_segments_bad",
    "search_ended",
};

template <class T, std::size_t N>
Expected<T> choose(std::string_view option, std::string_view text,
                   const std::array<std::pair<std::string_view, T>, N>& choices) {
  std::vector<std::string_view> names;
  std::string list;
  for (const auto& [name, value] : choices) {
    if (formats::folded_name(name) == formats::folded_name(text)) return value;
    names.push_back(name);
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  const auto near = nearest(text, names);
  const std::string hint = near ? fmt::format("did you mean {}?", *near) : fmt::format("choose one of {}", list);
  return failure(exit_usage, fmt::format("{} {}: {}", option, formats::quote(text), hint));
}

bool has_value(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

Expected<Format> format_of(const ViewArguments& arguments, formats::View view) {
  constexpr std::array<std::pair<std::string_view, Format>, 5> all{{{"table", Format::Table},
                                                                    {"csv", Format::Csv},
                                                                    {"json", Format::Json},
                                                                    {"markdown", Format::Markdown},
                                                                    {"junit", Format::Junit}}};
  constexpr std::array<std::pair<std::string_view, Format>, 3> choices{
      {{"table", Format::Table}, {"csv", Format::Csv}, {"json", Format::Json}}};
  if (arguments.json && arguments.csv) return failure(exit_usage, "--json and --csv: choose one");
  if (arguments.json) return Format::Json;
  if (arguments.csv) return Format::Csv;
  if (arguments.format.empty()) {
    const std::string extension = arguments.extension();
    if (extension == "json") return Format::Json;
    if (extension == "csv") return Format::Csv;
    if (extension == "md" && view == formats::View::Diff) return Format::Markdown;
    if (extension == "xml" && view == formats::View::Diff) return Format::Junit;
    if (extension == "mmp")
      return failure(exit_usage, fmt::format("{}: that is VMMap's format: vmscan convert TARGET {}", arguments.output,
                                             arguments.output));
  }
  const std::string chosen = arguments.format.empty() ? "table" : arguments.format;
  return view == formats::View::Diff ? choose<Format>("--format", chosen, all)
                                     : choose<Format>("--format", chosen, choices);
}

Expected<formats::TableStyle> style_of(const ViewArguments& arguments, bool terminal) {
  using enum formats::Units;
  constexpr std::array<std::pair<std::string_view, formats::Units>, 5> units{
      {{"auto", Auto}, {"B", B}, {"K", K}, {"M", M}, {"G", G}}};
  formats::TableStyle style;
  const auto unit = choose<formats::Units>("--units", arguments.units.empty() ? "K" : arguments.units, units);
  if (!unit) return std::unexpected(unit.error());
  style.units = *unit;
  const auto color = wants_color(arguments.color, terminal);
  if (!color) return std::unexpected(color.error());
  style.color = *color;
  style.header = !arguments.no_header;
  style.width = terminal ? terminal_width().value_or(0) : 0;
  if (arguments.width == "0") style.width = 0;
  if (!arguments.width.empty() && arguments.width != "0") {
    const auto width = parse_count("--width", arguments.width);
    if (!width) return std::unexpected(width.error());
    style.width = static_cast<std::size_t>(std::min<std::uint64_t>(*width, 1'000'000));
  }
  return style;
}

bool from_smaps(const formats::Column* column) {
  return column != nullptr && std::any_of(usage_columns.begin(), usage_columns.end(), [&](const UsageColumn& usage) {
           return usage.from_smaps && usage.member == column->usage;
         });
}

std::string all_usage_columns() {
  std::string names = "+";
  for (const UsageColumn& column : usage_columns) names += (names.size() == 1 ? "" : ",") + std::string(column.name);
  return names;
}

/// Of "a,b,c" all columns were asked for, of "+a,b" those that are not shown anyway.
void ask_for(std::string_view choice, formats::View view, ViewSettings& settings) {
  const bool relative = choice.starts_with('+') || choice.starts_with('-');
  const auto defaults = relative ? formats::default_columns(view) : std::vector<const formats::Column*>{};
  for (const formats::Column* column : settings.view.columns)
    if (!choice.empty() && std::find(defaults.begin(), defaults.end(), column) == defaults.end())
      settings.style.asked.push_back(column->name);
}

Expected<void> settle_view(const ViewArguments& arguments, formats::View view, ViewSettings& settings) {
  const std::string choice = arguments.full && arguments.columns.empty() ? all_usage_columns() : arguments.columns;
  if (!choice.empty()) {
    auto columns = formats::choose_columns(view, choice);
    if (!columns) return failure(exit_usage, columns.error().message);
    settings.view.columns = std::move(*columns);
    ask_for(arguments.columns, view, settings);
  }
  if (!arguments.sort.empty()) {
    const auto sort = formats::parse_sort(view, arguments.sort);
    if (!sort) return failure(exit_usage, sort.error().message);
    settings.view.sort = *sort;
    settings.style.asked.push_back(sort->column->name);
  }
  if (!arguments.top.empty()) {
    const auto top = parse_count("--top", arguments.top);
    if (!top) return std::unexpected(top.error());
    settings.view.top = static_cast<std::size_t>(*top);
  }
  for (const std::string& list : arguments.types)
    if (const auto added = add_types(list, settings.view.types); !added) return std::unexpected(added.error());
  return {};
}

/// Whether the note is of something that is shown.
bool concerns(const Note& note, const ViewSettings& settings) {
  return note.code != "smaps_apportioned" || from_smaps(settings.view.sort.column) ||
         std::any_of(settings.view.columns.begin(), settings.view.columns.end(), from_smaps);
}

std::string pid_prefix(const Snapshot& snapshot) {
  return snapshot.target.pid ? fmt::format("pid {}: ", *snapshot.target.pid) : std::string{};
}

/// A note, and the snapshots that have it.
struct ToldNote {
  std::string message;
  std::vector<const Snapshot*> of;

  std::string line() const {
    if (of.size() > 1) return fmt::format("{} of the targets: {}", of.size(), message);
    const auto& pid = of.front()->target.pid;
    const bool says_it = pid && message.starts_with(fmt::format("pid {} ", *pid));
    return says_it ? message : pid_prefix(*of.front()) + message;
  }
};

void add_note(std::vector<ToldNote>& notes, const std::string& message, const Snapshot& snapshot) {
  const auto known =
      std::find_if(notes.begin(), notes.end(), [&](const ToldNote& note) { return note.message == message; });
  if (known == notes.end())
    notes.push_back({message, {&snapshot}});
  else if (known->of.back() != &snapshot)
    known->of.push_back(&snapshot);
}

/// When no region knows what they are to be sorted by.
std::optional<std::string> unknown_order(const Snapshot& snapshot, const ViewSettings& settings) {
  const formats::Column* column = settings.view.sort.column;
  if (column == nullptr || column->usage == nullptr) return std::nullopt;
  const auto known = [&](const Usage& usage) { return (usage.*column->usage).known(); };
  if (snapshot.sums != nullptr) {
    const auto& rows = snapshot.sums->rows;
    if (std::ranges::any_of(rows, [&](const TypeTotal& row) { return row.regions != Bytes{0} && known(row.usage); }))
      return std::nullopt;
  } else if (snapshot.regions.empty() ||
             std::ranges::any_of(snapshot.regions, [&](const Region& region) { return known(region.usage); })) {
    return std::nullopt;
  }
  const bool savable = snapshot.target.kind == TargetKind::Process && from_smaps(column);
  return fmt::format("--sort {}: {} is unknown{}", column->name, column->title,
                     savable ? ": 'vmscan snapshot --full' saves it" : "");
}

/// Columns that had no room, themselves broken into lines that fit.
std::string list_left_out(const std::vector<std::string>& titles, std::size_t width) {
  std::string lines = "not shown at this width:";
  std::size_t used = lines.size();
  for (const std::string& title : titles) {
    const std::string item = fmt::format(" {}{}", title, &title == &titles.back() ? "" : ",");
    const bool fits = used + item.size() <= width;
    lines += (fits ? "" : "\n ") + item;
    used = (fits ? used : 1) + item.size();
  }
  return lines;
}

}  // namespace

Expected<bool> wants_color(const std::string& choice, bool terminal) {
  constexpr std::array<std::pair<std::string_view, int>, 3> choices{{{"auto", 2}, {"always", 1}, {"never", 0}}};
  const auto chosen = choose<int>("--color", choice.empty() ? "auto" : choice, choices);
  if (!chosen) return std::unexpected(chosen.error());
  if (*chosen != 2) return *chosen == 1;
  if (has_value("NO_COLOR")) return false;
  const char* force = std::getenv("CLICOLOR_FORCE");
  if (force != nullptr && *force != '\0' && std::string_view(force) != "0") return true;
  const char* term = std::getenv("TERM");
  return terminal && !(term != nullptr && std::string_view(term) == "dumb");
}

Expected<void> add_types(std::string_view list, std::vector<RegionType>& types) {
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    const auto type = parse_region_type(name);
    if (type) {
      types.push_back(*type);
      continue;
    }
    std::array<std::string_view, region_types.size()> names;
    std::transform(region_types.begin(), region_types.end(), names.begin(),
                   [](const auto& known) { return known.name; });
    const std::string folded = formats::folded_name(name);
    const auto near = nearest(folded, names);
    return failure(exit_usage, fmt::format("--type {}: unknown type: {}", formats::quote(name),
                                           near ? fmt::format("did you mean {}?", *near)
                                                : fmt::format("choose of {}", fmt::join(names, ", "))));
  }
  return {};
}

void ViewArguments::add_to(Parser& parser, formats::View view) {
  const bool regions = view != formats::View::Summary, diff = view == formats::View::Diff;
  diff ? targets.add_pair_to(parser) : targets.add_to(parser);
  parser.group("What is shown");
  parser.option("-t,--type", types, "TYPE",
                "only this type (image, mapped_file, shareable, heap, managed_heap, stack, private_data, page_table, "
                "unusable, free), or several: heap,stack");
  parser.option("--columns", columns, "LIST",
                "columns: a,b,c or +a,b to add or -a,b to take away (write --columns=-a); on a narrow terminal those "
                "asked for stay longest");
  parser.option("--sort", sort, "COL[:asc|desc]", "order by a column");
  parser.option("--top", top, "N", regions ? "only the first N regions" : "only the first N types");
  parser.flag("--full", full, "PSS, Dirty, Referenced, Huge and Swap PSS too; reading these makes the target wait");
  add_all_pages_to(parser);
  add_output_to(parser, diff);
}

void ViewArguments::add_all_pages_to(Parser& parser) { parser.flag("--all-pages", all_pages, all_pages_help); }

void ViewArguments::add_output_to(Parser& parser, bool diff) {
  add_format_to(parser, diff ? "table (default), csv, json, markdown or junit" : "table (default), csv or json");
  parser.option("--units", units, "UNIT", "of sizes in a table: K (default), auto, B, M, G");
  add_file_to(parser, "fit tables into N columns; 0: as wide as they need");
}

Expected<ViewSettings> settle(const ViewArguments& arguments, formats::View view) {
  ViewSettings settings;
  const auto format = format_of(arguments, view);
  if (!format) return std::unexpected(format.error());
  settings.format = *format;
  settings.on_terminal = *format == Format::Table && arguments.output.empty() && stdout_is_terminal();
  const auto style = style_of(arguments, settings.on_terminal);
  if (!style) return std::unexpected(style.error());
  settings.style = *style;
  if (const auto settled = settle_view(arguments, view, settings); !settled) return std::unexpected(settled.error());
  const auto& columns = settings.view.columns;
  settings.collect.smaps = arguments.full || from_smaps(settings.view.sort.column) ||
                           std::any_of(columns.begin(), columns.end(), from_smaps);
  settings.collect.swap = std::any_of(columns.begin(), columns.end(),
                                      [](const formats::Column* column) { return column->usage == &Usage::swap; });
  settings.collect.all_pages = arguments.all_pages;
  settings.collect.file_root = arguments.targets.sysroot;
  settings.collect.trace = make_trace(arguments.verbose);
  if (!arguments.output.empty())
    if (const auto checked = check_output(arguments.output, arguments.force ? Existing::Replace : Existing::Refuse);
        !checked)
      return std::unexpected(checked.error());
  return settings;
}

std::vector<Snapshot> take_snapshots(const ViewArguments& arguments, const ViewSettings& settings, int& exit_code) {
  std::vector<Snapshot> snapshots;
  exit_code = for_each_target(arguments.targets, [&](OpenTarget& target) -> Expected<void> {
    auto snapshot = take_snapshot(target, settings.collect);
    if (!snapshot) return std::unexpected(snapshot.error());
    snapshots.push_back(std::move(*snapshot));
    return {};
  });
  return snapshots;
}

void ViewOutput::add_table(const Snapshot& snapshot, const formats::Table& table, const std::string& bars,
                           bool several) {
  if (settings_.format == Format::Csv) {
    formats::Table rows = table;
    if (several) {
      rows.columns.insert(rows.columns.begin(), {formats::Column{"pid", "PID", formats::CellKind::Count, nullptr},
                                                 formats::Column{"name", "Name", formats::CellKind::Text, nullptr}});
      for (formats::Row& row : rows.rows)
        row.cells.insert(row.cells.begin(),
                         {formats::Cell{snapshot.target.pid ? Bytes{*snapshot.target.pid} : Bytes{}, {}},
                          formats::Cell{{}, snapshot.target.name}});
    }
    text_ += formats::write_csv(rows, settings_.style.header && !header_written_);
    header_written_ = true;
    return;
  }
  if (!text_.empty()) text_ += '\n';
  if (settings_.style.header) text_ += title_line(snapshot, settings_.style.width);
  if (!bars.empty()) text_ += bars + '\n';
  add_table(table);
}

void ViewOutput::add_table(const formats::Table& table) {
  std::vector<std::string> left_out;
  text_ += formats::write_table(table, settings_.style, &left_out);
  if (!left_out.empty() && settings_.style.header) {
    const std::string lines = list_left_out(left_out, settings_.style.width);
    text_ += settings_.style.color ? fmt::format("\x1b[2m{}\x1b[0m\n", lines) : lines + "\n";
  }
}

int ViewOutput::finish() {
  if (text_.empty()) return exit_done;
  const auto written = arguments_.output.empty() ? write_stdout(text_)
                                                 : write_file(arguments_.output, text_,
                                                              arguments_.force ? Existing::Replace : Existing::Refuse);
  return written ? exit_done : report(written.error());
}

bool is_partial(const Snapshot& snapshot) {
  return std::any_of(snapshot.notes.begin(), snapshot.notes.end(), [](const Note& note) {
    return std::find(partial_codes.begin(), partial_codes.end(), note.code) != partial_codes.end();
  });
}

int tell_notes(const std::vector<const Snapshot*>& snapshots, const ViewArguments& arguments,
               const ViewSettings& settings) {
  if (!arguments.quiet && settings.format != Format::Json) {
    std::vector<ToldNote> notes;
    for (const Snapshot* snapshot : snapshots) {
      for (const Note& note : snapshot->notes)
        if (note.code != "map_denied" && concerns(note, settings))  // that one is told as a failure
          add_note(notes, note.message, *snapshot);
      if (const auto unknown = unknown_order(*snapshot, settings)) add_note(notes, *unknown, *snapshot);
    }
    for (const ToldNote& note : notes) report_note(note.line());
  }
  int exit_code = exit_done;
  for (const Snapshot* snapshot : snapshots) {
    if (arguments.strict && is_partial(*snapshot)) exit_code = std::max<int>(exit_code, exit_partial);
    if (snapshot->regions_known) continue;
    for (const Note& note : snapshot->notes)
      if (note.code == "map_denied")
        exit_code = std::max(exit_code,
                             report({exit_permission, pid_prefix(*snapshot) + "permission denied: " + note.message}));
  }
  return exit_code;
}

int tell_notes(const std::vector<Snapshot>& snapshots, const ViewArguments& arguments, const ViewSettings& settings) {
  std::vector<const Snapshot*> pointers;
  for (const Snapshot& snapshot : snapshots) pointers.push_back(&snapshot);
  return tell_notes(pointers, arguments, settings);
}

std::string no_such_type(const Snapshot& snapshot, const std::vector<RegionType>& types) {
  std::string wanted, present;
  const auto add = [](std::string& list, std::string_view name) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", name);
  };
  for (const RegionType type : types) add(wanted, name_of(type));
  for (const auto& known : region_types)
    if (std::any_of(snapshot.regions.begin(), snapshot.regions.end(),
                    [&](const Region& region) { return region.type == known.type; }))
      add(present, known.name);
  return fmt::format("no region is of type {}; there are {}", wanted, present.empty() ? "none" : present);
}

}  // namespace vmscan::cli
