#include "formats/native/document.h"

namespace vmscan::formats {
namespace {

void write_text(JsonWriter& json, std::string_view key, std::string_view text) {
  json.key(key);
  text.empty() ? json.null() : json.string(text);
}

template <class Number>
void write_number(JsonWriter& json, std::string_view key, const std::optional<Number>& number) {
  json.key(key);
  number ? json.number(std::uint64_t{*number}) : json.null();
}

void write_time(JsonWriter& json, std::string_view key, const std::optional<std::int64_t>& unix_ms) {
  json.key(key);
  unix_ms ? json.string(format_time(*unix_ms)) : json.null();
}

void write_bytes(JsonWriter& json, std::string_view key, Bytes bytes) {
  json.key(key);
  json.bytes(bytes);
}

void write_process(JsonWriter& json, const Target& target) {
  json.key("kind");
  json.string(target_kind_names[static_cast<std::size_t>(target.kind)]);
  write_number(json, "pid", target.pid);
  json.key("namespace_pids");
  json.begin_array();
  for (const std::uint32_t pid : target.namespace_pids) json.number(std::uint64_t{pid});
  json.end_array();
  write_number(json, "parent_pid", target.parent_pid);
  write_number(json, "user_id", target.user_id);
  write_text(json, "name", target.name);
  write_text(json, "executable", target.executable);
  json.key("arguments");
  json.begin_array();
  for (const std::string& argument : target.arguments) json.string(argument);
  json.end_array();
}

void write_target(JsonWriter& json, const Target& target) {
  json.begin_object();
  write_process(json, target);
  write_text(json, "system", target.system);
  write_text(json, "machine", target.machine);
  write_text(json, "kernel", target.kernel);
  write_number(json, "pointer_bits", target.pointer_bits);
  write_bytes(json, "page_size", target.page_size);
  write_time(json, "started_at", target.started_at_unix_ms);
  json.end_object();
}

void write_range(JsonWriter& json, Range range) {
  json.key("address");
  json.address(range.begin);
  json.key("size");
  json.number(range.size());
}

void write_protection(JsonWriter& json, const std::optional<Protection>& protection) {
  json.key("protection");
  protection ? json.string(to_string(*protection)) : json.null();
}

void write_block(JsonWriter& json, const Block& block, UnknownColumns unknown) {
  json.begin_object();
  write_range(json, block.range);
  json.key("state");
  json.string(name_of(block.state));
  write_protection(json, block.protection);
  json.key("details");
  json.string(block.details);
  write_usage(json, block.usage, unknown);
  json.end_object();
}

}  // namespace

void write_head(JsonWriter& json, const Snapshot& snapshot) {
  json.key("target");
  write_target(json, snapshot.target);
  write_time(json, "captured_at", snapshot.captured_at_unix_ms);
  json.key("consistency");
  json.string(consistency_names[static_cast<std::size_t>(snapshot.consistency)]);
  write_text(json, "label", snapshot.label);
}

void write_kernel_and_limits(JsonWriter& json, const Snapshot& snapshot) {
  json.key("kernel");
  json.begin_object();
  for (const KernelCounterName& counter : kernel_counter_names) {
    write_bytes(json, counter.name, snapshot.kernel.*counter.member);
  }
  json.end_object();
  json.key("limits");
  json.begin_object();
  for (const Limit& limit : snapshot.limits) {
    json.foreign_key(limit.name);
    json.begin_object();
    write_bytes(json, "used", limit.used);
    write_bytes(json, "limit", limit.limit);
    json.key("unlimited");
    json.boolean(limit.unlimited);
    json.end_object();
  }
  json.end_object();
}

void write_notes(JsonWriter& json, const std::vector<Note>& notes) {
  json.key("notes");
  json.begin_array();
  for (const Note& note : notes) {
    json.begin_object();
    json.key("code");
    json.string(note.code);
    json.key("message");
    json.string(note.message);
    json.end_object();
  }
  json.end_array();
}

void write_heap_shortfalls(JsonWriter& json, const std::vector<HeapShortfall>& shortfalls) {
  json.key("heap_shortfalls");
  json.begin_array();
  for (const HeapShortfall& shortfall : shortfalls) {
    json.begin_object();
    json.key("allocator");
    json.string(shortfall.allocator);
    json.key("figures");
    json.string(shortfall_figures_names[static_cast<std::size_t>(shortfall.figures)]);
    json.key("reason");
    json.string(shortfall_reason_names[static_cast<std::size_t>(shortfall.reason)]);
    write_bytes(json, "blocks", shortfall.blocks);
    write_bytes(json, "bytes", shortfall.bytes);
    json.end_object();
  }
  json.end_array();
}

void write_tail(JsonWriter& json, const Snapshot& snapshot) {
  write_kernel_and_limits(json, snapshot);
  write_heap_shortfalls(json, snapshot.heap_shortfalls);
  write_notes(json, snapshot.notes);
  json.end_object();
}

void write_usage(JsonWriter& json, const Usage& usage, UnknownColumns unknown) {
  for (const UsageColumn& column : usage_columns) {
    const Bytes bytes = usage.*column.member;
    if (bytes.known() || unknown == UnknownColumns::Null) write_bytes(json, column.name, bytes);
  }
}

void write_region(JsonWriter& json, const Region& region, UnknownColumns unknown) {
  json.begin_object();
  write_region_fields(json, region, unknown);
  json.key("blocks");
  json.begin_array();
  for (const Block& block : region.blocks) write_block(json, block, unknown);
  json.end_array();
  json.end_object();
}

void write_region_fields(JsonWriter& json, const Region& region, UnknownColumns unknown) {
  const bool all = unknown == UnknownColumns::Null;
  write_range(json, region.range);
  json.key("type");
  json.string(name_of(region.type));
  json.key("rule");
  json.string(region.rule);
  json.key("details");
  json.string(region.details);
  if (all || !region.evidence.empty()) write_text(json, "evidence", region.evidence);
  if (all || !region.build_id.empty()) write_text(json, "build_id", region.build_id);
  if (all) write_protection(json, region.protection());
  write_usage(json, region.usage, unknown);
}

}  // namespace vmscan::formats
