#include "tests/fuzz/support/whole_pipeline.h"

#include <memory>
#include <utility>

#include "formats/files/convert.h"
#include "formats/native/snapshot_json.h"
#include "formats/views/diff_view.h"
#include "formats/views/heap_diff_view.h"
#include "formats/views/heap_view.h"
#include "formats/views/strings_view.h"
#include "formats/views/views.h"
#include "formats/views/waterfall_view.h"
#include "libvmscan/breakdown/waterfall.h"
#include "libvmscan/capture/capture.h"
#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/heap/heap_walk.h"
#include "libvmscan/strings/extents.h"
#include "tests/fuzz/require.h"

namespace vmscan::tests {
namespace {

void check_report(const HeapReport& report, const HeapOptions& options) {
  for (const HeapTotals& heap : report.heaps) {
    require(heap.live.bytes + heap.cached.bytes + heap.free.bytes + heap.overhead + heap.unread == heap.size,
            "the parts of a heap add up");
    if (heap.residency) require(heap.residency->in_ram.sum() == heap.in_ram, "the parts of a heap in RAM add up");
  }
  require(report.blocks.size() <= options.most_blocks, "no more blocks are listed than asked for");
}

void write(const formats::Table& table) {
  formats::write_table(table, {.color = true, .width = 80});
  formats::write_csv(table);
}

void write_views(const Snapshot& snapshot) {
  formats::ViewOptions options;
  write(formats::summary_table(snapshot, options));
  formats::summary_json(snapshot, options);
  write(formats::details_table(snapshot, options));
  options.expand = options.free = options.explain = true;
  write(formats::details_table(snapshot, options));
  formats::details_json(snapshot, options);
}

void write_heaps(const Snapshot& snapshot, const HeapReport& report) {
  write(formats::heap_table(report));
  write(formats::heap_sizes_table(report, {}));
  write(formats::heap_types_table(report, {}));
  write(formats::heap_blocks_table(report, {}));
  formats::HeapJson all{.sizes = true, .types = true, .blocks = true, .top = {}, .address = {}};
  if (!report.blocks.empty()) all.address = report.blocks.front().address;
  formats::heap_json(snapshot, report, all);
}

void write_waterfall(const Snapshot& snapshot, const HeapReport* report) {
  const Waterfall waterfall = explain(snapshot, report);
  Bytes sum = 0;
  for (const WaterfallLine& line : waterfall.lines) sum += line.bytes;
  require(sum == waterfall.total || (!waterfall.total.known() && waterfall.lines.empty()),
          "the lines of the waterfall add up");
  write(formats::waterfall_table(waterfall));
  write(formats::waterfall_rows(waterfall));
  formats::waterfall_lines(waterfall, {});
  formats::waterfall_json(snapshot, waterfall);
}

/// The walks that commands ask for; returns the report of `snapshot --heap`.
std::optional<HeapReport> walk(const Facts& facts, const MemoryReader& memory, const Snapshot& snapshot,
                               Budget& budget) {
  const auto once = [&](const char* stage, const HeapOptions& options) -> std::optional<HeapReport> {
    budget.stage(stage);
    auto report = walk_heaps(facts, memory, options);
    if (!report) return std::nullopt;
    check_report(*report, options);
    write_heaps(snapshot, *report);
    return std::move(*report);
  };
  HeapOptions trim, blocks, types;
  trim.trim = true;
  if (const auto report = once("summary --explain", trim)) write_waterfall(snapshot, &*report);
  blocks.list_request = 40;
  blocks.contents = true;
  std::optional<Address> block;
  if (const auto report = once("heap --size", blocks); report && !report->blocks.empty())
    block = report->blocks.back().address;
  if (block) {
    HeapOptions address;
    address.list_address = *block;
    once("heap --address", address);
  }
  types.types = true;
  return once("heap --sizes --types", types);
}

void search_strings(const Snapshot& snapshot, const MemoryReader& memory, bool all_pages) {
  ExtentChoice choice;
  choice.absent_too = all_pages;
  const auto extents = choose_extents(snapshot, memory, choice);
  if (!extents) return;
  const formats::StringsView view(snapshot, {.format = formats::StringsFormat::Json});
  ScanOptions options;
  options.threads = 1;
  options.encodings.wide_be = true;
  options.piece_bytes = view.piece_bytes();
  ScanTotals totals;
  const auto done = scan_memory(
      memory, extents->list, options,
      [&](const StringBatch& batch, Rendered& out) {
        for (const FoundString& found : batch.strings) view.append(batch, found, out.text);
        out.strings += batch.strings.size();
      },
      [](Rendered&) { return true; }, totals);
  require(!done || totals.read_bytes + totals.unreadable_bytes == extents->bytes(), "all was searched");
}

void write_files(const Snapshot& snapshot, Budget& budget) {
  budget.stage("snapshot");
  const std::string written = formats::write_snapshot(snapshot);
  const auto again = formats::read_snapshot(written);
  require(again.has_value(), "what was written can be read");
  require(formats::write_snapshot(*again) == written, "what was read is written the same");
  budget.stage("convert");
  for (const formats::FormatName& entry : formats::file_formats())
    formats::convert(std::span(&snapshot, 1), entry.format);
}

void compare_with_itself(const Snapshot& snapshot) {
  const SnapshotDiff diff = compare(snapshot, snapshot, {});
  for (const RegionChange& change : diff.changes) require(!is_news(change.change), "nothing differs from itself");
  formats::DiffViewOptions options;
  options.all = true;
  write(formats::diff_totals_table(diff, options));
  write(formats::diff_regions_table(diff, options));
  if (diff.heap) {
    write(formats::heap_diff_table(*diff.heap, true));
    write(formats::heap_sizes_diff_table(*diff.heap, {}));
    write(formats::heap_types_diff_table(*diff.heap, {}));
  }
  const formats::DiffNames names{"base", "new"};
  formats::diff_json(diff, names, {}, options);
  formats::diff_markdown(diff, names, {}, options);
}

}  // namespace

void run_whole_pipeline(const Facts& facts, const MemoryReader& memory, Budget& budget) {
  budget.stage("classify");
  Snapshot snapshot = build_snapshot(facts);
  require_laws(snapshot);
  budget.stage("summary and details");
  write_views(snapshot);
  write_waterfall(snapshot, nullptr);
  if (auto report = walk(facts, memory, snapshot, budget); report && !report->heaps.empty())
    snapshot.heap = std::make_shared<HeapContents>(std::move(*report));
  budget.stage("strings");
  search_strings(snapshot, memory, false);
  budget.stage("strings --all-pages");
  search_strings(snapshot, memory, true);
  write_files(snapshot, budget);
  budget.stage("diff");
  compare_with_itself(snapshot);
}

void run_whole_pipeline(Source& source, std::size_t input_bytes) {
  Budget budget;
  budget.stage("collect");
  CollectOptions options;
  options.file_root = "/nonexistent";  // an input found by a fuzzer shall not depend on this machine's files
  const auto facts = capture(source, options);
  if (facts) run_whole_pipeline(*facts, *source.memory(), budget);
  budget.check(input_bytes);
}

}  // namespace vmscan::tests
