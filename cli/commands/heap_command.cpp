// vmscan heap: what malloc's heaps hold.
#include <fmt/format.h>

#include <algorithm>

#include "cli/arguments/quantities.h"
#include "cli/arguments/view.h"
#include "cli/commands/commands.h"
#include "cli/commands/heap_look.h"
#include "cli/log.h"
#include "cli/platform/system.h"
#include "formats/views/heap_view.h"
#include "formats/views/text.h"

namespace vmscan::cli {
namespace {

constexpr std::string_view help =
    R"(What malloc's heaps hold, seen from outside: blocks that live, blocks that are freed but kept in caches, free blocks.
Known are the malloc of glibc and of musl, jemalloc, mimalloc and tcmalloc.

Examples:
  vmscan heap 1234                            each heap: live, cached and free bytes, fragmentation
  vmscan heap 1234 --sizes                    blocks by size, most bytes first: a leak of one type shows as one size
  vmscan heap 1234 --types                    C++ objects by class, most bytes first
  vmscan heap 1234 --size 48 --top 10         where the blocks are that malloc(48) gives
  vmscan heap 1234 --address 0x55d0c1a2b2a0   which block, heap and region an address belongs to
  vmscan heap core.77 --sizes --json          a core, for other programs
  vmscan heap before.json --sizes             what snapshot --heap saved)";

constexpr std::size_t rows_in_table = 20;  // unless --top says otherwise

struct HeapArguments {
  ViewArguments view;
  bool sizes = false, types = false, contents = false;
  std::string size, address, top;
};

struct HeapSettings {
  ViewSettings view;
  HeapOptions heap;
  bool sizes = false, types = false;
  std::optional<std::size_t> top;

  bool lists_blocks() const { return heap.list_request || heap.list_address; }
};

Expected<HeapSettings> settle_heap(const HeapArguments& arguments) {
  auto view = settle(arguments.view, formats::View::Details);
  if (!view) return std::unexpected(view.error());
  HeapSettings settings{
      .view = std::move(*view), .heap = {}, .sizes = arguments.sizes, .types = arguments.types, .top = {}};
  settings.heap.types = arguments.types;
  settings.heap.contents = arguments.contents;
  if (!arguments.size.empty() && !arguments.address.empty())
    return failure(exit_usage, "--size and --address: choose one");
  if (!arguments.size.empty()) {
    const auto size = parse_count("--size", arguments.size);
    if (!size) return std::unexpected(size.error());
    settings.heap.list_request = *size;
  }
  if (!arguments.address.empty()) {
    const auto address = parse_address("--address", arguments.address);
    if (!address) return std::unexpected(address.error());
    settings.heap.list_address = *address;
  }
  if (!arguments.top.empty()) {
    const auto top = parse_count("--top", arguments.top);
    if (!top) return std::unexpected(top.error());
    settings.top = static_cast<std::size_t>(*top);
  }
  if (settings.sizes + settings.types + settings.lists_blocks() > 1 && settings.view.format == Format::Csv)
    return failure(exit_usage, "--csv holds one table: choose --sizes, --types, or --size or --address");
  return settings;
}

std::string region_line(const Snapshot& snapshot, Address address) {
  const Region* region = formats::region_with(snapshot, address);
  if (region == nullptr) return fmt::format("{:#x} is in no region\n", address);
  return fmt::format("{:#x} is in the region at {:#x}: {}, {} (rule {})\n", address, region->range.begin,
                     title_of(region->type), formats::escape_for_terminal(region->details), region->rule);
}

void add_tables(const HeapLook& looked, const HeapSettings& settings, bool several, ViewOutput& output) {
  const bool csv = settings.view.format == Format::Csv;
  const auto rows = csv || settings.top ? settings.top : std::optional(rows_in_table);
  const bool heaps = !settings.lists_blocks() && !(csv && (settings.sizes || settings.types));
  if (heaps) output.add_table(looked.snapshot, formats::heap_table(looked.report), {}, several);
  if (settings.lists_blocks())
    output.add_table(looked.snapshot, formats::heap_blocks_table(looked.report, settings.top), {}, several);
  if (!csv && settings.heap.list_address) output.add_text(region_line(looked.snapshot, *settings.heap.list_address));
  const auto add = [&](const formats::Table& table, std::size_t all, std::string_view what) {
    if (csv)
      output.add_table(looked.snapshot, table, {}, several);
    else
      output.add_text("\n"), output.add_table(table);
    if (!csv && table.rows.size() < all)
      output.add_text(fmt::format("and {} other {} (--top N shows more)\n", all - table.rows.size(), what));
  };
  if (settings.sizes) add(formats::heap_sizes_table(looked.report, rows), looked.report.sizes.size(), "sizes");
  if (settings.types) add(formats::heap_types_table(looked.report, rows), looked.report.types.size(), "types");
}

}  // namespace

int run_heap(std::span<const std::string> words) {
  HeapArguments arguments;
  Parser parser("heap", "TARGET... [OPTIONS]", help);
  arguments.view.targets.add_to(parser);
  parser.group("What is shown");
  parser.flag("--sizes", arguments.sizes, "how many blocks there are of each size");
  parser.flag("--types", arguments.types, "how many C++ objects there are of each class with virtual functions");
  parser.option("--size", arguments.size, "N", "the blocks that a request of N bytes gets, one by one");
  parser.option("--address", arguments.address, "A", "the block with this address");
  parser.flag("--contents", arguments.contents, "with --size and --address: how texts begin; memory holds secrets");
  parser.option("--top", arguments.top, "N",
                "only the first N sizes, types or blocks (sizes and types in a table: 20)");
  arguments.view.add_all_pages_to(parser);
  arguments.view.add_output_to(parser, false);
  if (const auto done = parser.parse(words)) return *done;
  const auto settings = settle_heap(arguments);
  if (!settings) return report(settings.error());

  bool any_block = false;
  std::vector<HeapLook> all;
  int exit_code = for_each_target(arguments.view.targets, [&](OpenTarget& target) -> Expected<void> {
    auto looked = look_at_heaps(target, settings->view.collect, settings->heap);
    if (!looked) return std::unexpected(looked.error());
    all.push_back(std::move(*looked));
    return {};
  });
  ViewOutput output(arguments.view, settings->view);
  for (const HeapLook& looked : all) {
    any_block |= !looked.report.blocks.empty();
    if (!looked.snapshot.regions_known) continue;
    if (settings->view.format == Format::Json)
      output.add_json(formats::heap_json(
          looked.snapshot, looked.report,
          {settings->sizes, settings->types, settings->lists_blocks(), settings->top, settings->heap.list_address}));
    else
      add_tables(looked, *settings, all.size() > 1, output);
  }
  if (const int failed = output.finish(); failed != exit_done) return std::max(exit_code, failed);
  for (const HeapLook& looked : all)
    exit_code = std::max(exit_code, tell_notes(looked.snapshot, arguments.view, settings->view));
  if (settings->lists_blocks() && !any_block && exit_code == exit_done) return exit_nothing;
  return exit_code;
}

}  // namespace vmscan::cli
