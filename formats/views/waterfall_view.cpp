#include "formats/views/waterfall_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "formats/native/document.h"
#include "formats/views/text.h"

namespace vmscan::formats {
namespace {

Cell number(Bytes value) { return Cell{value, {}}; }
Cell text(std::string value) { return Cell{{}, std::move(value)}; }

const WaterfallPartName& name_of(WaterfallPart part) { return waterfall_parts[static_cast<std::size_t>(part)]; }

std::string title_of(const WaterfallLine& line) {
  std::string title(name_of(line.part).title);
  if (line.details.empty()) return title;
  return (line.part == WaterfallPart::HeapUnread ? "Heap" : title) + ": " + line.details;
}

std::string share(std::uint64_t part, Bytes total) {
  if (total.value_or(0) == 0) return {};
  return fmt::format("{:>5.1f}", static_cast<double>(part) * 100 / static_cast<double>(*total));
}

std::string plural(std::uint64_t count, std::string_view one) {
  return fmt::format("{} {}{}", format_count(count), one, count == 1 ? "" : "s");
}

std::string in_units(std::uint64_t bytes, Units units) {
  return format_size(bytes, units) + (units == Units::K ? " K" : "");
}

/// Why malloc gives nothing back by itself (M_TRIM_THRESHOLD in mallopt(3)).
std::string threshold_sentence(Bytes raised, Units units) {
  if (!raised.known()) return {};
  return fmt::format(
      " One free of {} raised M_MMAP_THRESHOLD to that size and M_TRIM_THRESHOLD to twice as much, for good: as much "
      "stays at the end of the heap. MALLOC_TRIM_THRESHOLD_ in the environment, or mallopt(), sets it.",
      in_units(*raised, units));
}

/// "300 ended threads were not joined: …"
std::string unjoined_sentence(const Advice& advice, Units units) {
  const bool one = advice.threads == 1;
  return fmt::format("{} {} not joined: {} of {}{} {} lost until pthread_join, or pthread_detach, is called for {}.",
                     plural(advice.threads, "ended thread"), one ? "was" : "were",
                     in_units(advice.committed.value_or(0), units), one ? "a stack" : "stacks",
                     advice.in_ram ? fmt::format(", {} of it in RAM,", in_units(advice.bytes, units)) : std::string(),
                     one ? "is" : "are", one ? "it" : "each");
}

/// What makes stacks come in small pages: glibc.pthread.stack_hugetlb in glibc's manual, from 2.38 on.
std::string_view stack_remedy(HugePages::Policy policy) {
  if (policy == HugePages::Policy::OnRequest)
    return "Only memory for which madvise(MADV_HUGEPAGE) was called gets them here: leave stacks out, or call "
           "madvise(MADV_NOHUGEPAGE) for them.";
  return "Any memory gets them here: madvise(MADV_NOHUGEPAGE) turns them off for a stack, "
         "glibc.pthread.stack_hugetlb=0 in GLIBC_TUNABLES for all that glibc makes (2.38 and later), "
         "prctl(PR_SET_THP_DISABLE) for the program.";
}

/// What makes memory come in small pages, by who wants the huge ones (transhuge.rst of the kernel's documentation,
/// PR_SET_THP_DISABLE in prctl(2), glibc.malloc.hugetlb in glibc's manual).
std::string_view remedy(HugePages::Policy policy) {
  switch (policy) {
    case HugePages::Policy::Always:
      return "Every program gets them here: prctl(PR_SET_THP_DISABLE), which children inherit, turns them off for one, "
             "madvise in /sys/kernel/mm/transparent_hugepage/enabled for all that do not ask.";
    case HugePages::Policy::OnRequest:
      return "Only programs that ask get them here, with glibc.malloc.hugetlb=1 in GLIBC_TUNABLES or with madvise: "
             "without that, or after prctl(PR_SET_THP_DISABLE), which children inherit, pages are small.";
    case HugePages::Policy::Unknown:
      break;
  }
  return "After prctl(PR_SET_THP_DISABLE), which children inherit, pages are small.";
}

std::string sentence(const Advice& advice, Units units) {
  const std::string size = in_units(advice.bytes, units);
  switch (advice.kind) {
    case AdviceKind::Unjoined:
      return unjoined_sentence(advice, units);
    case AdviceKind::MallocTrim:
      return fmt::format(
                 "malloc_trim(0) would give back about {}: whole pages of free blocks, and the end of the main arena.",
                 size) +
             threshold_sentence(advice.raised, units);
    case AdviceKind::SharedPages:
      return fmt::format(
          "malloc_trim(0) would not give back {} of free and cached blocks: they lie in {} that {} in use "
          "share with them.",
          size, plural(advice.pages, "page"), plural(advice.blocks, "block"));
    case AdviceKind::Arenas:
      return fmt::format(
          "{} of free and cached blocks lie in {} beside the main one, for {}: with MALLOC_ARENA_MAX=2 in the "
          "environment the threads would share arenas.",
          size, plural(advice.arenas, "arena"), plural(advice.threads, "thread"));
    case AdviceKind::HugePages:
      return fmt::format(
          "{} of {} hold {} of free memory{}, which is at least half of each: in small pages, what of it was never "
          "used "
          "would not be in RAM. {}",
          plural(advice.pages, "huge page"), in_units(advice.page_bytes, units), size,
          advice.trimmable == 0
              ? ""
              : fmt::format(", {} of it counted in what malloc_trim(0) would give back",
                            advice.trimmable == advice.bytes ? "all" : in_units(advice.trimmable, units)),
          remedy(advice.policy));
    case AdviceKind::HugeStacks:
      return fmt::format(
          "{} of {} lie behind {} of threads that wait or have ended, and {} of them are not in use now: in small "
          "pages, what was never used would not be in RAM. {}",
          plural(advice.pages, "huge page"), in_units(advice.page_bytes, units), plural(advice.threads, "stack"), size,
          stack_remedy(advice.policy));
  }
  return {};
}

void write_line(JsonWriter& json, const WaterfallLine& line) {
  json.begin_object();
  json.key("part");
  json.string(name_of(line.part).name);
  json.key("details");
  json.string(line.details);
  json.key("bytes");
  json.number(line.bytes);
  json.key("swap");
  json.bytes(line.swap);
  json.key("blocks");
  json.bytes(line.blocks);
  json.key("regions");
  json.number(line.regions);
  json.key("rules");
  json.begin_array();
  for (const std::string& rule : line.rules) json.string(rule);
  json.end_array();
  json.end_object();
}

void write_advice(JsonWriter& json, const Advice& advice) {
  const auto field = [&](std::string_view name, std::uint64_t value) {
    json.key(name);
    json.number(value);
  };
  json.begin_object();
  json.key("code");
  json.string(advice_names[static_cast<std::size_t>(advice.kind)]);
  field("bytes", advice.bytes);
  if (advice.raised.known()) field("raised_threshold", *advice.raised);
  if (advice.kind == AdviceKind::SharedPages) field("pages", advice.pages), field("blocks", advice.blocks);
  if (advice.kind == AdviceKind::Arenas) field("arenas", advice.arenas), field("threads", advice.threads);
  if (advice.kind == AdviceKind::HugePages || advice.kind == AdviceKind::HugeStacks)
    field("pages", advice.pages), field("page_bytes", advice.page_bytes);
  if (advice.kind == AdviceKind::HugePages) field("trimmable", advice.trimmable);
  if (advice.kind == AdviceKind::HugeStacks) field("threads", advice.threads);
  if (advice.kind == AdviceKind::Unjoined)
    field("threads", advice.threads), field("committed", advice.committed.value_or(0));
  json.key("message");
  json.string(sentence(advice, Units::K));
  json.end_object();
}

}  // namespace

Table waterfall_table(const Waterfall& waterfall) {
  const bool swapped = std::any_of(waterfall.lines.begin(), waterfall.lines.end(),
                                   [](const WaterfallLine& line) { return line.swap != Bytes{0}; });
  Table table;
  table.columns = {{"part", waterfall.in_ram ? "Part of Rss" : "Part of Committed", CellKind::Text},
                   {"bytes", waterfall.in_ram ? "In RAM" : "Committed", CellKind::Size},
                   {"share", "    %", CellKind::Text}};
  if (swapped) table.columns.push_back({"swap", "Swap", CellKind::Size});
  table.columns.push_back({"blocks", "Blocks", CellKind::Count});
  table.columns.push_back({"rules", "By rule", CellKind::Text});
  for (const WaterfallLine& line : waterfall.lines) {
    Row row;
    row.cells = {text(title_of(line)), number(line.bytes), text(share(line.bytes, waterfall.total))};
    if (swapped) row.cells.push_back(number(line.swap));
    row.cells.push_back(number(line.blocks.value_or(0)));
    row.cells.push_back(text(fmt::format("{}", fmt::join(line.rules, ", "))));
    table.rows.push_back(std::move(row));
  }
  Row total;
  total.kind = Row::Kind::Total;
  total.cells = {text(waterfall.in_ram ? "Rss" : "Committed"), number(waterfall.total),
                 text(share(waterfall.total.value_or(0), waterfall.total))};
  if (swapped) total.cells.push_back(number(waterfall.swap));
  total.cells.push_back(number(0));
  total.cells.push_back(text({}));
  table.rows.push_back(std::move(total));
  return table;
}

Table waterfall_rows(const Waterfall& waterfall) {
  Table table;
  table.columns = {{"part", "Part", CellKind::Text},      {"details", "Details", CellKind::Text},
                   {"bytes", "Bytes", CellKind::Size},    {"swap", "Swap", CellKind::Size},
                   {"blocks", "Blocks", CellKind::Count}, {"regions", "Regions", CellKind::Count},
                   {"rules", "By rule", CellKind::Text}};
  for (const WaterfallLine& line : waterfall.lines) {
    Row row;
    row.cells = {text(std::string(name_of(line.part).name)),
                 text(line.details),
                 number(line.bytes),
                 number(line.swap),
                 number(line.blocks),
                 number(line.regions),
                 text(fmt::format("{}", fmt::join(line.rules, " ")))};
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string waterfall_lines(const Waterfall& waterfall, const TableStyle& style) {
  const auto size = [&](Bytes bytes) {
    return format_size(bytes, style.units) + (style.units == Units::K ? " K" : "");
  };
  std::string beside;
  const auto add = [&](std::string_view name, Bytes bytes) {
    if (bytes.value_or(0) == 0) return;
    beside += fmt::format("{}{} {}", beside.empty() ? "Beside it: " : " · ", name, size(bytes));
  };
  add("page tables", waterfall.page_table);
  add("swapped out", waterfall.swap);
  add("hugetlb", waterfall.hugetlb);
  std::string out = beside.empty() ? std::string() : wrapped(beside, 0, style.width);
  for (const Advice& advice : waterfall.advice) out += wrapped(sentence(advice, style.units), 0, style.width);
  return out;
}

std::string waterfall_json(const Snapshot& snapshot, const Waterfall& waterfall) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("schema");
  json.string(waterfall_schema);
  write_head(json, snapshot);
  json.key("split");
  json.string(waterfall.in_ram ? "total_ws" : "committed");
  json.key("total");
  json.bytes(waterfall.total);
  json.key("lines");
  json.begin_array();
  for (const WaterfallLine& line : waterfall.lines) write_line(json, line);
  json.end_array();
  json.key("page_table");
  json.bytes(waterfall.page_table);
  json.key("swap");
  json.bytes(waterfall.swap);
  json.key("hugetlb");
  json.bytes(waterfall.hugetlb);
  json.key("advice");
  json.begin_array();
  for (const Advice& advice : waterfall.advice) write_advice(json, advice);
  json.end_array();
  write_tail(json, snapshot);
  return out += '\n';
}

}  // namespace vmscan::formats
