#include "cli/arguments/strings_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/arguments/quantities.h"
#include "cli/arguments/view.h"
#include "cli/platform/system.h"
#include "formats/views/text.h"
#include "libvmscan/base/nearest.h"

namespace vmscan::cli {
namespace {

constexpr std::uint64_t longest_least = 4096;  // --min-length

/// "ascii", "utf8,utf16le", "all".
Expected<TextMaskOptions> parse_encodings(std::string_view list) {
  constexpr std::array<std::string_view, 5> names{"ascii", "utf8", "utf16le", "utf16be", "all"};
  TextMaskOptions options{.text = false, .utf8 = false, .wide_le = false, .wide_be = false};
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    std::string folded = formats::folded_name(name);
    std::erase(folded, '_');
    const bool all = folded == "all";
    if (std::find(names.begin(), names.end(), folded) == names.end()) {
      const auto near = nearest(folded, names);
      return failure(exit_usage, fmt::format("--encoding {}: unknown encoding: {}", formats::quote(name),
                                             near ? fmt::format("did you mean {}?", *near)
                                                  : fmt::format("choose of {}", fmt::join(names, ", "))));
    }
    options.text |= all || folded == "ascii" || folded == "utf8";
    options.utf8 |= all || folded == "utf8";
    options.wide_le |= all || folded == "utf16le";
    options.wide_be |= all || folded == "utf16be";
  }
  return options;
}

Expected<Range> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto bad = [&] {
    return failure(exit_usage, fmt::format("--range {}: write 0xBEGIN-0xEND", formats::quote(text)));
  };
  if (dash == std::string_view::npos) return bad();
  const auto begin = parse_address("--range", text.substr(0, dash)),
             end = parse_address("--range", text.substr(dash + 1));
  if (!begin || !end) return bad();
  if (*begin >= *end)
    return failure(exit_usage, fmt::format("--range {}: it ends where it begins, or before", formats::quote(text)));
  return Range{*begin, *end};
}

Expected<formats::StringsFormat> format_of(const StringsArguments& arguments) {
  using enum formats::StringsFormat;
  if (arguments.json + arguments.jsonl + arguments.csv > 1)
    return failure(exit_usage, "--json, --jsonl and --csv: choose one");
  if (arguments.json) return Json;
  if (arguments.jsonl) return JsonLines;
  if (arguments.csv) return Csv;
  const std::string extension = arguments.extension();
  const bool by_name = arguments.format.empty() && !arguments.count &&
                       (extension == "csv" || extension == "json" || extension == "jsonl");
  const std::string& name = by_name ? extension : arguments.format;
  if (name.empty() || name == "table") return Table;
  if (name == "csv") return Csv;
  if (name == "json") return Json;
  if (name == "jsonl") return JsonLines;
  if (name == "text") return Text;
  return failure(exit_usage, fmt::format("--format {}: choose one of table, csv, json, jsonl, text",
                                         formats::quote(arguments.format)));
}

Expected<void> settle_style(const StringsArguments& arguments, StringsSettings& settings) {
  const auto format = format_of(arguments);
  if (!format) return std::unexpected(format.error());
  formats::StringsStyle& style = settings.style;
  style.format = *format;
  style.header = !arguments.no_header;
  const bool for_people = *format == formats::StringsFormat::Table || *format == formats::StringsFormat::Text;
  settings.on_terminal = for_people && arguments.output.empty() && stdout_is_terminal();
  style.terminal = settings.on_terminal;
  const auto color = wants_color(arguments.color, settings.on_terminal);
  if (!color) return std::unexpected(color.error());
  style.color = *color;
  style.width = settings.on_terminal ? terminal_width().value_or(0) : 0;
  if (arguments.width == "0") style.width = 0;
  if (!arguments.width.empty() && arguments.width != "0") {
    const auto width = parse_count("--width", arguments.width);
    if (!width) return std::unexpected(width.error());
    style.width = static_cast<std::size_t>(std::min<std::uint64_t>(*width, 1'000'000));
  }
  if (arguments.count && *format != formats::StringsFormat::Table)
    return failure(exit_usage, "--count prints a number: leave out --format");
  return {};
}

/// "length", "text:desc".
Expected<void> settle_order(const StringsArguments& arguments, StringsSettings& settings) {
  using enum StringsOrder;
  constexpr std::array<std::string_view, 7> names{"address", "length", "text", "type", "wasted", "count", "grown"};
  if (arguments.duplicates) settings.order = arguments.not_in.empty() ? Waste : Growth;
  if (arguments.sort.empty()) return {};
  const std::size_t colon = std::min(arguments.sort.find(':'), arguments.sort.size());
  const std::string name = formats::folded_name(arguments.sort.substr(0, colon)),
                    direction = formats::folded_name(arguments.sort.substr(std::min(colon + 1, arguments.sort.size())));
  const auto known = std::find(names.begin(), names.end(), name);
  if (known == names.end()) {
    const auto near = nearest(name, names);
    return failure(exit_usage, fmt::format("--sort {}: {}", formats::quote(arguments.sort),
                                           near ? fmt::format("did you mean {}?", *near)
                                                : fmt::format("choose of {}", fmt::join(names, ", "))));
  }
  settings.order = static_cast<StringsOrder>(known - names.begin());
  const bool of_many = settings.order == Waste || settings.order == Count || settings.order == Growth;
  const bool falls = settings.order == Length || of_many;
  if (of_many && !arguments.duplicates)
    return failure(exit_usage, fmt::format("--sort {}: goes with --duplicates", name));
  if (settings.order == Growth && arguments.not_in.empty())
    return failure(exit_usage, "--sort grown: goes with --duplicates and --not-in");
  if (!direction.empty() && direction != "asc" && direction != "desc")
    return failure(exit_usage, fmt::format("--sort {}: asc or desc behind the colon", formats::quote(arguments.sort)));
  settings.reversed = !direction.empty() && (direction == "desc") != falls;
  return {};
}

Expected<void> settle_filters(const StringsArguments& arguments, StringsSettings& settings) {
  settings.unique = arguments.unique;
  settings.duplicates = arguments.duplicates;
  settings.compared = !arguments.not_in.empty();
  settings.count = arguments.count;
  if (arguments.unique && arguments.duplicates)
    return failure(exit_usage, "--unique and --duplicates: choose one (--duplicates shows each string once, too)");
  if (arguments.match.empty()) {
    if (arguments.ignore_case) return failure(exit_usage, "--ignore-case goes with --match");
    return {};
  }
  auto pattern = TextPattern::make("--match", arguments.match, arguments.ignore_case);
  if (!pattern) return std::unexpected(pattern.error());
  settings.match = std::move(*pattern);
  return {};
}

Expected<void> settle_choice(const StringsArguments& arguments, StringsSettings& settings) {
  settings.module = arguments.module;
  for (const std::string& list : arguments.types)
    if (const auto added = add_types(list, settings.types); !added) return std::unexpected(added.error());
  if (!arguments.address.empty()) {
    const auto address = parse_address("--address", arguments.address);
    if (!address) return std::unexpected(address.error());
    settings.address = *address;
  }
  if (!arguments.range.empty()) {
    const auto range = parse_range(arguments.range);
    if (!range) return std::unexpected(range.error());
    settings.range = *range;
  }
  if (!arguments.limit.empty()) {
    const auto limit = parse_count("--limit", arguments.limit);
    if (!limit) return std::unexpected(limit.error());
    settings.limit = *limit;
  }
  return {};
}

std::string_view file_name(std::string_view path) { return path.substr(path.find_last_of("/\\") + 1); }

/// "libc" and "libc.so.6" are /usr/lib/libc.so.6, as is the whole path.
bool is_module(const Region& region, std::string_view name) {
  if (region.type != RegionType::Image && region.type != RegionType::MappedFile) return false;
  return region.details == name || file_name(region.details).starts_with(name);
}

}  // namespace

void StringsArguments::add_to(Parser& parser) {
  targets.add_to(parser);
  parser.group("What is a string");
  parser.option("-n,--min-length", min_length, "N", "at least so many characters (3)");
  parser.option("-e,--encoding", encoding, "LIST",
                "of ascii, utf8 (and ascii), utf16le, utf16be, or all; utf8,utf16le by default");
  parser.group("Where it is looked for");
  parser.option("-t,--type", types, "TYPE",
                "only memory of this type (image, mapped_file, shareable, heap, managed_heap, stack, private_data), or "
                "of several: heap,stack");
  parser.option("--address", address, "A", "only the region with this address");
  parser.option("--range", range, "A-B", "only from address A up to B");
  parser.option("--module", module, "NAME", "only the image or mapped file whose name begins so, or with this path");
  parser.flag("-w,--writable", writable, "only memory that can be written to");
  parser.flag("--all-pages", all_pages,
              "memory that is not in RAM, too: of files from the files themselves; what is swapped out comes back into "
              "RAM by that");
  parser.group("What is shown");
  parser.option("--match", match, "REGEX", "only strings of which some part matches (RE2's syntax, linear time)");
  parser.flag("-i,--ignore-case", ignore_case, "--match takes upper and lower case for the same");
  parser.option("--not-in", not_in, "BASE",
                "only strings that are not in BASE: a process, a core, or a file that strings --jsonl wrote earlier; "
                "with --duplicates those that are there more often than in BASE");
  parser.flag("-u,--unique", unique, "of equal strings only the first");
  parser.flag("-d,--duplicates", duplicates,
              "equal strings as one line: how many, bytes of each, bytes wasted by the copies, where they live");
  parser.option("-s,--sort", sort, "COL[:asc|desc]",
                "address (default), length, text or type; of duplicates also wasted (default) or count, and with "
                "--not-in grown (default then)");
  parser.flag("-c,--count", count, "only how many there are");
  parser.option("-m,--limit", limit, "N", "stop after N strings");
  add_format_to(parser, "table (default), csv, json (one document), jsonl (a line each) or text (the strings alone)");
  parser.flag("--jsonl", jsonl, "same as --format jsonl");
  add_file_to(parser, "fit the table into N columns; 0: whole texts");
}

Expected<StringsSettings> settle(const StringsArguments& arguments) {
  StringsSettings settings;
  if (const auto settled = settle_style(arguments, settings); !settled) return std::unexpected(settled.error());
  if (const auto settled = settle_choice(arguments, settings); !settled) return std::unexpected(settled.error());
  if (const auto settled = settle_order(arguments, settings); !settled) return std::unexpected(settled.error());
  if (const auto settled = settle_filters(arguments, settings); !settled) return std::unexpected(settled.error());
  if (!arguments.min_length.empty()) {
    const auto least = parse_count("--min-length", arguments.min_length);
    if (!least) return std::unexpected(least.error());
    if (*least > longest_least)
      return failure(exit_usage, fmt::format("--min-length {}: at most {}", *least, longest_least));
    settings.scan.min_characters = static_cast<std::size_t>(*least);
  }
  if (!arguments.encoding.empty()) {
    const auto encodings = parse_encodings(arguments.encoding);
    if (!encodings) return std::unexpected(encodings.error());
    settings.scan.encodings = *encodings;
  }
  if (!arguments.output.empty())
    if (const auto checked = check_output(arguments.output, arguments.force ? Existing::Replace : Existing::Refuse);
        !checked)
      return std::unexpected(checked.error());
  return settings;
}

std::string nothing_chosen(const Snapshot& snapshot, const StringsSettings& settings) {
  if (!settings.module.empty()) {
    std::set<std::string_view> names;
    for (const Region& region : snapshot.regions)
      if (is_module(region, "")) names.insert(file_name(region.details));
    const auto near = nearest(settings.module, std::vector(names.begin(), names.end()));
    return fmt::format("--module {}: no image or mapped file begins so{}", formats::quote(settings.module),
                       near            ? fmt::format(": did you mean {}?", formats::quote(*near))
                       : names.empty() ? "; there are none"
                                       : ": 'vmscan details --type image,mapped_file' lists them");
  }
  if (settings.address) return fmt::format("no memory is at {:#x} that could be searched", *settings.address);
  return settings.types.empty() ? "there is no such memory" : no_such_type(snapshot, settings.types);
}

ExtentChoice choice_of(const StringsArguments& arguments, const StringsSettings& settings) {
  ExtentChoice choice;
  choice.writable = arguments.writable;
  choice.absent_too = arguments.all_pages;
  choice.within = settings.range;
  choice.region = [&settings](const Region& region) {
    const auto& types = settings.types;
    if (!types.empty() && std::find(types.begin(), types.end(), region.type) == types.end()) return false;
    if (settings.address && !region.range.contains(*settings.address)) return false;
    return settings.module.empty() || is_module(region, settings.module);
  };
  return choice;
}

}  // namespace vmscan::cli
