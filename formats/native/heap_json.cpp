#include "formats/native/heap_json.h"

namespace vmscan::formats {
namespace {

void write_sum(JsonWriter& json, std::string_view bytes, std::string_view blocks, const BlockSum& sum) {
  json.key(bytes);
  json.number(sum.bytes);
  json.key(blocks);
  json.number(sum.blocks);
}

void write_three(JsonWriter& json, const BlockSum& live, const BlockSum& cached, const BlockSum& free) {
  write_sum(json, "live_bytes", "live_blocks", live);
  write_sum(json, "cached_bytes", "cached_blocks", cached);
  write_sum(json, "free_bytes", "free_blocks", free);
}

}  // namespace

void write_heap_figures(JsonWriter& json, const HeapTotals& heap) {
  const auto field = [&](std::string_view name, Bytes value) {
    json.key(name);
    json.bytes(value);
  };
  field("size", heap.size);
  field("in_ram", heap.in_ram);
  write_three(json, heap.live, heap.cached, heap.free);
  field("top", heap.top);
  field("largest_free", heap.largest_free);
  field("overhead", heap.overhead);
  field("unread", heap.unread);
  field("broken", heap.broken);
}

void write_heap_fields(JsonWriter& json, const HeapTotals& heap) {
  json.key("allocator");
  json.string(heap.allocator);
  json.key("name");
  json.string(heap.name);
  write_heap_figures(json, heap);
}

void write_size_of_blocks(JsonWriter& json, const SizeTotals& size) {
  json.begin_object();
  json.key("allocator");
  json.string(size.allocator);
  json.key("size");
  json.number(size.size);
  json.key("least_request");
  json.number(size.least_request);
  json.key("most_request");
  json.number(size.most_request);
  write_three(json, size.live, size.cached, size.free);
  json.end_object();
}

void write_types(JsonWriter& json, std::span<const ObjectTotals> types) {
  json.key("types");
  json.begin_array();
  for (const ObjectTotals& type : types) {
    json.begin_object();
    json.key("name");
    json.string(type.name);
    json.key("image");
    json.string(type.image);
    write_sum(json, "live_bytes", "live_blocks", type.live);
    json.end_object();
  }
  json.end_array();
}

void write_heap_contents(JsonWriter& json, const HeapContents& contents) {
  json.begin_object();
  json.key("heaps");
  json.begin_array();
  for (const HeapTotals& heap : contents.heaps) {
    json.begin_object();
    write_heap_fields(json, heap);
    json.end_object();
  }
  json.end_array();
  json.key("sizes");
  json.begin_array();
  for (const SizeTotals& size : contents.sizes) write_size_of_blocks(json, size);
  json.end_array();
  write_types(json, contents.types);
  json.end_object();
}

}  // namespace vmscan::formats
