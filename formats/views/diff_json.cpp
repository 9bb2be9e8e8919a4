#include "formats/native/document.h"
#include "formats/views/diff_rows.h"
#include "formats/views/diff_view.h"
#include "formats/views/heap_diff_view.h"
#include "formats/views/verdict_view.h"

namespace vmscan::formats {
namespace {

void write_bytes(JsonWriter& json, std::string_view key, Bytes value) {
  json.key(key);
  json.bytes(value);
}

void write_delta(JsonWriter& json, std::string_view key, Bytes base, Bytes now) {
  json.key(key);
  const Delta delta = difference(base, now);
  delta ? json.number(*delta) : json.null();
}

void write_side(JsonWriter& json, std::string_view key, const std::string& name, const Snapshot& snapshot) {
  json.key(key);
  json.begin_object();
  json.key("name");
  json.string(name);
  write_head(json, snapshot);
  write_heap_shortfalls(json, snapshot.heap_shortfalls);
  write_notes(json, snapshot.notes);
  json.end_object();
}

void write_figures(JsonWriter& json, const TypeTotal& base, const TypeTotal& now) {
  for (const Measure& measure : all_measures()) {
    json.key(measure.name);
    json.begin_object();
    write_bytes(json, "base", measure.of(base));
    write_bytes(json, "new", measure.of(now));
    write_delta(json, "delta", measure.of(base), measure.of(now));
    json.end_object();
  }
}

void write_rows(JsonWriter& json, const SnapshotDiff& diff, const DiffViewOptions& options) {
  json.key("rows");
  json.begin_array();
  for (std::size_t i = 0; i < region_types.size(); ++i) {
    if (!is_shown(diff, region_types[i].type, options.view)) continue;
    json.begin_object();
    json.key("type");
    json.string(region_types[i].name);
    write_figures(json, diff.base_totals.rows[i], diff.now_totals.rows[i]);
    json.end_object();
  }
  json.end_array();
  json.key("total");
  json.begin_object();
  write_figures(json, diff.base_totals.total, diff.now_totals.total);
  json.end_object();
}

void write_regions_of(JsonWriter& json, std::string_view key, const Snapshot& snapshot,
                      const std::vector<std::size_t>& indices) {
  json.key(key);
  json.begin_array();
  for (const std::size_t i : indices) {
    json.begin_object();
    write_region_fields(json, snapshot.regions[i], UnknownColumns::Null);
    json.end_object();
  }
  json.end_array();
}

void write_change(JsonWriter& json, const SnapshotDiff& diff, const RegionChange& change) {
  json.begin_object();
  json.key("change");
  json.string(name_of(change.change));
  json.key("type");
  json.string(name_of(type_of(diff, change)));
  json.key("fields");
  json.begin_array();
  for (const std::string_view field : change.fields) json.string(field);
  json.end_array();
  const Figures before = diff.figures_before(change), after = diff.figures_after(change);
  json.key("delta");
  json.begin_object();
  write_delta(json, "size", before.size, after.size);
  for (const UsageColumn& column : usage_columns)
    write_delta(json, column.name, before.usage.*column.member, after.usage.*column.member);
  write_delta(json, "blocks", before.blocks, after.blocks);
  json.end_object();
  write_regions_of(json, "base", diff.base, change.base);
  write_regions_of(json, "new", diff.now, change.now);
  json.end_object();
}

void write_ignored(JsonWriter& json, const SnapshotDiff& diff) {
  json.key("ignored");
  json.begin_array();
  for (const IgnoreUse& use : diff.ignored) {
    json.begin_object();
    json.key("pattern");
    json.string(use.pattern);
    json.key("base");
    json.number(std::uint64_t{use.base});
    json.key("new");
    json.number(std::uint64_t{use.now});
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string diff_json(const SnapshotDiff& diff, const DiffNames& names, const std::vector<Verdict>& verdicts,
                      const DiffViewOptions& options) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("schema");
  json.string(diff_schema);
  write_side(json, "base", names.base, diff.base);
  write_side(json, "new", names.now, diff.now);
  json.key("match");
  json.begin_object();
  json.key("mode");
  json.string(name_of(diff.match));
  json.key("reason");
  json.string(diff.match_reason);
  json.end_object();
  write_rows(json, diff, options);
  json.key("regions");
  if (diff.base.regions_known && diff.now.regions_known) {
    json.begin_array();
    for (const RegionChange* change : select_changes(diff, options)) write_change(json, diff, *change);
    json.end_array();
  } else {
    json.null();
  }
  if (diff.heap) {
    json.key("heap");
    write_heap_diff(json, *diff.heap, options.view.top);
  }
  write_ignored(json, diff);
  write_gate(json, verdicts);
  write_notes(json, diff.notes);
  json.end_object();
  out += '\n';
  return out;
}

}  // namespace vmscan::formats
