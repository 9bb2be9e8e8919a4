#include "formats/native/document.h"
#include "formats/native/heap_json.h"
#include "formats/native/snapshot_json.h"

namespace vmscan::formats {
namespace {

// What a region with one block takes, seen on Linux; only to allocate once.
constexpr std::size_t typical_region_bytes = 640;
constexpr std::size_t typical_head_bytes = 4096;

void write_address_space(JsonWriter& json, const std::optional<Range>& address_space) {
  json.key("address_space");
  if (!address_space) return json.null();
  json.begin_object();
  json.key("begin");
  json.address(address_space->begin);
  json.key("end");
  json.address(address_space->end);
  json.end_object();
}

void write_regions(JsonWriter& json, const Snapshot& snapshot) {
  json.key("regions");
  if (!snapshot.regions_known) return json.null();
  json.begin_array();
  for (const Region& region : snapshot.regions) write_region(json, region, UnknownColumns::LeftOut);
  json.end_array();
}

void write_threads(JsonWriter& json, const Snapshot& snapshot) {
  json.key("threads");
  json.begin_array();
  for (const Thread& thread : snapshot.threads) {
    json.begin_object();
    json.key("id");
    json.number(std::uint64_t{thread.id});
    json.key("name");
    json.string(thread.name);
    json.key("stack_pointer");
    thread.stack_pointer ? json.address(*thread.stack_pointer) : json.null();
    json.end_object();
  }
  json.end_array();
}

}  // namespace

std::string write_snapshot(const Snapshot& snapshot) {
  std::string out;
  out.reserve(typical_head_bytes + snapshot.regions.size() * typical_region_bytes);
  JsonWriter json(out);
  json.begin_object();
  json.key("schema");
  json.string(snapshot_schema);
  write_head(json, snapshot);
  write_address_space(json, snapshot.address_space);
  json.key("page_table");
  json.bytes(snapshot.page_table);
  write_regions(json, snapshot);
  write_kernel_and_limits(json, snapshot);
  write_threads(json, snapshot);
  if (snapshot.heap != nullptr) {
    json.key("heap");
    write_heap_contents(json, *snapshot.heap);
  }
  write_heap_shortfalls(json, snapshot.heap_shortfalls);
  write_notes(json, snapshot.notes);
  json.end_object();
  out += '\n';
  return out;
}

}  // namespace vmscan::formats
