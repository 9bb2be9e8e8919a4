#include "formats/native/snapshot_fields.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

#include "formats/native/json_writer.h"
#include "formats/native/snapshot_json.h"
#include "formats/views/text.h"

namespace vmscan::formats {
namespace {

/// "0x7f…": one to sixteen hexadecimal digits.
std::optional<Address> parse_address(std::string_view text) {
  if (!text.starts_with("0x") || text.size() < 3 || text.size() > 18) return std::nullopt;
  Address address = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), address, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return address;
}

template <std::size_t N>
std::optional<std::size_t> index_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

}  // namespace

/// The setters behind the tables of fields. Null always means unknown.
struct Assign {
  using Builder = SnapshotBuilder;
  static constexpr std::string_view unknown_value = "unknown_value";

  static void refuse(Builder& b, std::string reason) { b.fail(ErrorCode::Malformed, std::move(reason)); }

  static std::optional<std::uint64_t> number(Builder& b, const Scalar& value) {
    if (value.kind == Scalar::Kind::Number) return value.number;
    if (value.kind == Scalar::Kind::BadNumber) {
      refuse(b, fmt::format("{} is not a whole number below 2^64", quote(value.digits)));
    } else if (value.kind != Scalar::Kind::Null) {
      refuse(b, "not a number");
    }
    return std::nullopt;
  }

  static std::optional<std::uint32_t> small_number(Builder& b, const Scalar& value) {
    const auto wide = number(b, value);
    if (!wide) return std::nullopt;
    if (*wide > UINT32_MAX) refuse(b, fmt::format("{} is above 2^32 - 1", *wide));
    return static_cast<std::uint32_t>(*wide);
  }

  static Bytes bytes(Builder& b, const Scalar& value) {
    const auto known = number(b, value);
    return known ? Bytes(*known) : Bytes();
  }

  static bool is_text(Builder& b, const Scalar& value) {
    if (value.kind != Scalar::Kind::Text && value.kind != Scalar::Kind::Null) refuse(b, "not a string");
    return value.kind == Scalar::Kind::Text;
  }

  static void text(Builder& b, const Scalar& value, std::string& out) {
    if (is_text(b, value)) {
      out = std::move(*value.text);
    } else {
      out.clear();
    }
  }

  static std::optional<Address> address(Builder& b, const Scalar& value) {
    if (!is_text(b, value)) return std::nullopt;
    const auto parsed = parse_address(*value.text);
    if (!parsed) refuse(b, fmt::format("{} is not an address like \"0x7f00\"", quote(*value.text)));
    return parsed;
  }

  static std::optional<std::int64_t> time(Builder& b, const Scalar& value) {
    if (!is_text(b, value)) return std::nullopt;
    std::int64_t unix_ms = 0;
    if (parse_time(*value.text, unix_ms)) return unix_ms;
    refuse(b, fmt::format("{} is not a time like \"2026-11-21T08:00:12.345Z\"", quote(*value.text)));
    return std::nullopt;
  }

  static bool boolean(Builder& b, const Scalar& value) {
    if (value.kind != Scalar::Kind::Boolean && value.kind != Scalar::Kind::Null) refuse(b, "not true or false");
    return value.kind == Scalar::Kind::Boolean && value.boolean;
  }

  /// A value of an enum; one that this version does not know stands for the first.
  template <class Enum, std::size_t N>
  static Enum enumerated(Builder& b, const Scalar& value, const std::array<std::string_view, N>& names) {
    if (!is_text(b, value)) return Enum{};
    const auto index = index_in(names, *value.text);
    if (!index) b.oddity_ = Oddity{unknown_value, quote(*value.text)};
    return static_cast<Enum>(index.value_or(0));
  }

  static void schema(Builder& b, const Scalar& value) {
    if (value.kind != Scalar::Kind::Text) return refuse(b, "not a string");
    const std::string_view name = *value.text;
    b.has_schema_ = name == snapshot_schema;
    if (b.has_schema_) return;
    const bool ours = name.starts_with("vmscan.");
    b.fail(ours ? ErrorCode::Unsupported : ErrorCode::Malformed,
           fmt::format("this is {}; what can be read is '{}'", quote(name), snapshot_schema));
  }

  static void no_regions(Builder& b, const Scalar& value) {
    if (value.kind != Scalar::Kind::Null) return refuse(b, "not an array");
    b.snapshot_.regions.clear();
    b.snapshot_.regions_known = false;
  }

  static void no_heap(Builder& b, const Scalar& value) {
    if (value.kind != Scalar::Kind::Null) refuse(b, "not an object");
  }

  static void page_size(Builder& b, const Scalar& value) {
    b.snapshot_.target.page_size = number(b, value).value_or(Target{}.page_size);
  }

  static void region_type(Builder& b, const Scalar& value) {
    b.region_.type = RegionType::PrivateData;
    if (!is_text(b, value)) return;
    for (const RegionTypeName& entry : region_types) {
      if (entry.name == *value.text) {
        b.region_.type = entry.type;
        return;
      }
    }
    b.oddity_ = Oddity{"unknown_type", quote(*value.text)};
  }

  static void protection(Builder& b, const Scalar& value) {
    b.block_.protection.reset();
    if (!is_text(b, value)) return;
    b.block_.protection = parse_protection(*value.text);
    if (!b.block_.protection) b.oddity_ = Oddity{unknown_value, quote(*value.text)};
  }

  static std::vector<Field> root_fields();
  static std::vector<Field> target_fields();
  static std::vector<Field> range_fields();
  static std::vector<Field> region_fields();
  static std::vector<Field> block_fields();
  static std::vector<Field> heap_fields();
  static std::vector<Field> size_fields();
  static std::vector<Field> type_fields();
  static std::vector<Field> shortfall_fields();
  static std::vector<Field> small_fields(Context context);

  static HeapTotals& last_heap(Builder& b) { return b.heap_->heaps.back(); }
  static SizeTotals& last_size(Builder& b) { return b.heap_->sizes.back(); }
  static ObjectTotals& last_type(Builder& b) { return b.heap_->types.back(); }
  static HeapShortfall& last_shortfall(Builder& b) { return b.snapshot_.heap_shortfalls.back(); }
  template <auto Last, auto Member>
  static void count(Builder& b, const Scalar& value) {
    Last(b).*Member = number(b, value).value_or(0);
  }
  template <auto Last, auto Sum>
  static void append_sum(std::vector<Field>& fields, std::string_view bytes, std::string_view blocks) {
    fields.push_back({bytes, [](Builder& b, const Scalar& v) { (Last(b).*Sum).bytes = number(b, v).value_or(0); }});
    fields.push_back({blocks, [](Builder& b, const Scalar& v) { (Last(b).*Sum).blocks = number(b, v).value_or(0); }});
  }
  template <auto Last, class Totals>
  static void append_sums(std::vector<Field>& fields) {
    append_sum<Last, &Totals::live>(fields, "live_bytes", "live_blocks");
    append_sum<Last, &Totals::cached>(fields, "cached_bytes", "cached_blocks");
    append_sum<Last, &Totals::free>(fields, "free_bytes", "free_blocks");
  }
};

namespace {

using Builder = SnapshotBuilder;
constexpr bool array = true;

void append_usage(std::vector<Field>& fields) {
  for (const UsageColumn& column : usage_columns) fields.push_back({.name = column.name, .usage = column.member});
}

std::vector<Field> kernel_fields() {
  std::vector<Field> fields;
  for (const KernelCounterName& counter : kernel_counter_names) {
    fields.push_back({.name = counter.name, .counter = counter.member});
  }
  return fields;
}

}  // namespace

std::vector<Field> Assign::root_fields() {
  return {
      {"schema", schema},
      {"target", nullptr, Context::Target},
      {"captured_at", [](Builder& b, const Scalar& v) { b.snapshot_.captured_at_unix_ms = time(b, v); }},
      {"consistency",
       [](Builder& b, const Scalar& v) { b.snapshot_.consistency = enumerated<Consistency>(b, v, consistency_names); }},
      {"label", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.label); }},
      {"address_space", nullptr, Context::AddressSpace},
      {"page_table", [](Builder& b, const Scalar& v) { b.snapshot_.page_table = bytes(b, v); }},
      {"regions", no_regions, Context::Regions, array},
      {"kernel", nullptr, Context::Kernel},
      {"limits", nullptr, Context::Limits},
      {"threads", nullptr, Context::Threads, array},
      {"heap", no_heap, Context::Heap},
      {"heap_shortfalls", nullptr, Context::Shortfalls, array},
      {"notes", nullptr, Context::Notes, array},
  };
}

std::vector<Field> Assign::target_fields() {
  return {
      {"kind",
       [](Builder& b, const Scalar& v) { b.snapshot_.target.kind = enumerated<TargetKind>(b, v, target_kind_names); }},
      {"pid", [](Builder& b, const Scalar& v) { b.snapshot_.target.pid = small_number(b, v); }},
      {"namespace_pids", nullptr, Context::NamespacePids, array},
      {"parent_pid", [](Builder& b, const Scalar& v) { b.snapshot_.target.parent_pid = small_number(b, v); }},
      {"user_id", [](Builder& b, const Scalar& v) { b.snapshot_.target.user_id = small_number(b, v); }},
      {"name", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.target.name); }},
      {"executable", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.target.executable); }},
      {"arguments", nullptr, Context::Arguments, array},
      {"system", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.target.system); }},
      {"machine", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.target.machine); }},
      {"kernel", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.target.kernel); }},
      {"pointer_bits", [](Builder& b, const Scalar& v) { b.snapshot_.target.pointer_bits = small_number(b, v); }},
      {"page_size", page_size},
      {"started_at", [](Builder& b, const Scalar& v) { b.snapshot_.target.started_at_unix_ms = time(b, v); }},
  };
}

std::vector<Field> Assign::range_fields() {
  return {
      {"address", [](Builder& b, const Scalar& v) { b.range().begin = address(b, v); }},
      {"size", [](Builder& b, const Scalar& v) { b.range().size = number(b, v); }},
  };
}

std::vector<Field> Assign::region_fields() {
  std::vector<Field> fields = range_fields();
  fields.push_back({"type", region_type});
  fields.push_back({"rule", [](Builder& b, const Scalar& v) { text(b, v, b.region_.rule); }});
  fields.push_back({"details", [](Builder& b, const Scalar& v) { text(b, v, b.region_.details); }});
  fields.push_back({"evidence", [](Builder& b, const Scalar& v) { text(b, v, b.region_.evidence); }});
  fields.push_back({"build_id", [](Builder& b, const Scalar& v) { text(b, v, b.region_.build_id); }});
  append_usage(fields);
  fields.push_back({"blocks", nullptr, Context::Blocks, array});
  return fields;
}

std::vector<Field> Assign::block_fields() {
  std::vector<Field> fields = range_fields();
  fields.push_back(
      {"state", [](Builder& b, const Scalar& v) { b.block_.state = enumerated<State>(b, v, state_names); }});
  fields.push_back({"protection", protection});
  fields.push_back({"details", [](Builder& b, const Scalar& v) { text(b, v, b.block_.details); }});
  append_usage(fields);
  return fields;
}

std::vector<Field> Assign::heap_fields() {
  std::vector<Field> fields = {
      {"allocator", [](Builder& b, const Scalar& v) { text(b, v, last_heap(b).allocator); }},
      {"name", [](Builder& b, const Scalar& v) { text(b, v, last_heap(b).name); }},
      {"size", count<last_heap, &HeapTotals::size>},
      {"in_ram", [](Builder& b, const Scalar& v) { last_heap(b).in_ram = bytes(b, v); }},
      {"top", count<last_heap, &HeapTotals::top>},
      {"largest_free", count<last_heap, &HeapTotals::largest_free>},
      {"overhead", count<last_heap, &HeapTotals::overhead>},
      {"unread", count<last_heap, &HeapTotals::unread>},
      {"broken", count<last_heap, &HeapTotals::broken>},
  };
  append_sums<last_heap, HeapTotals>(fields);
  return fields;
}

std::vector<Field> Assign::size_fields() {
  std::vector<Field> fields = {
      {"allocator", [](Builder& b, const Scalar& v) { text(b, v, last_size(b).allocator); }},
      {"size", count<last_size, &SizeTotals::size>},
      {"least_request", count<last_size, &SizeTotals::least_request>},
      {"most_request", count<last_size, &SizeTotals::most_request>},
  };
  append_sums<last_size, SizeTotals>(fields);
  return fields;
}

std::vector<Field> Assign::type_fields() {
  std::vector<Field> fields = {
      {"name", [](Builder& b, const Scalar& v) { text(b, v, last_type(b).name); }},
      {"image", [](Builder& b, const Scalar& v) { text(b, v, last_type(b).image); }},
  };
  append_sum<last_type, &ObjectTotals::live>(fields, "live_bytes", "live_blocks");
  return fields;
}

/// Why and of what, when this version does not know it: the first.
std::vector<Field> Assign::shortfall_fields() {
  return {
      {"allocator", [](Builder& b, const Scalar& v) { text(b, v, last_shortfall(b).allocator); }},
      {"figures",
       [](Builder& b, const Scalar& v) {
         last_shortfall(b).figures = enumerated<HeapShortfall::Figures>(b, v, shortfall_figures_names);
       }},
      {"reason",
       [](Builder& b, const Scalar& v) {
         last_shortfall(b).reason = enumerated<HeapShortfall::Reason>(b, v, shortfall_reason_names);
       }},
      {"blocks", [](Builder& b, const Scalar& v) { last_shortfall(b).blocks = bytes(b, v); }},
      {"bytes", [](Builder& b, const Scalar& v) { last_shortfall(b).bytes = bytes(b, v); }},
  };
}

std::vector<Field> Assign::small_fields(Context context) {
  switch (context) {
    case Context::Heap:
      return {{"heaps", nullptr, Context::HeapList, array},
              {"sizes", nullptr, Context::Sizes, array},
              {"types", nullptr, Context::Types, array}};
    case Context::AddressSpace:
      return {{"begin", [](Builder& b, const Scalar& v) { b.address_space_.begin = address(b, v); }},
              {"end", [](Builder& b, const Scalar& v) { b.address_space_.end = address(b, v); }}};
    case Context::Limit:
      return {{"used", [](Builder& b, const Scalar& v) { b.snapshot_.limits.back().used = bytes(b, v); }},
              {"limit", [](Builder& b, const Scalar& v) { b.snapshot_.limits.back().limit = bytes(b, v); }},
              {"unlimited", [](Builder& b, const Scalar& v) { b.snapshot_.limits.back().unlimited = boolean(b, v); }}};
    case Context::Thread:
      return {
          {"id", [](Builder& b, const Scalar& v) { b.snapshot_.threads.back().id = small_number(b, v).value_or(0); }},
          {"name", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.threads.back().name); }},
          {"stack_pointer",
           [](Builder& b, const Scalar& v) { b.snapshot_.threads.back().stack_pointer = address(b, v); }}};
    case Context::Note:
      return {{"code", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.notes.back().code); }},
              {"message", [](Builder& b, const Scalar& v) { text(b, v, b.snapshot_.notes.back().message); }}};
    default:
      return {};
  }
}

std::span<const Field> fields_of(Context context) {
  using Tables = std::array<std::vector<Field>, context_count>;
  static const Tables tables = [] {
    Tables all;
    for (std::size_t i = 0; i < context_count; ++i) all[i] = Assign::small_fields(static_cast<Context>(i));
    all[static_cast<std::size_t>(Context::Root)] = Assign::root_fields();
    all[static_cast<std::size_t>(Context::Target)] = Assign::target_fields();
    all[static_cast<std::size_t>(Context::Region)] = Assign::region_fields();
    all[static_cast<std::size_t>(Context::Block)] = Assign::block_fields();
    all[static_cast<std::size_t>(Context::Kernel)] = kernel_fields();
    all[static_cast<std::size_t>(Context::HeapEntry)] = Assign::heap_fields();
    all[static_cast<std::size_t>(Context::Size)] = Assign::size_fields();
    all[static_cast<std::size_t>(Context::Type)] = Assign::type_fields();
    all[static_cast<std::size_t>(Context::Shortfall)] = Assign::shortfall_fields();
    return all;
  }();
  return tables[static_cast<std::size_t>(context)];
}

Context element_of(Context array_context) {
  switch (array_context) {
    case Context::Regions:
      return Context::Region;
    case Context::Blocks:
      return Context::Block;
    case Context::Threads:
      return Context::Thread;
    case Context::HeapList:
      return Context::HeapEntry;
    case Context::Sizes:
      return Context::Size;
    case Context::Types:
      return Context::Type;
    case Context::Shortfalls:
      return Context::Shortfall;
    case Context::Notes:
      return Context::Note;
    default:
      return Context::Ignored;
  }
}

bool is_array(Context context) {
  return element_of(context) != Context::Ignored || context == Context::NamespacePids || context == Context::Arguments;
}

void SnapshotBuilder::assign(const Field& field, const Scalar& value) {
  if (field.assign != nullptr) return field.assign(*this, value);
  if (field.usage != nullptr) {
    usage().*field.usage = Assign::bytes(*this, value);
  } else if (field.counter != nullptr) {
    snapshot_.kernel.*field.counter = Assign::bytes(*this, value);
  } else if (value.kind != Scalar::Kind::Null) {
    fail(ErrorCode::Malformed, field.is_array ? "not an array" : "not an object");
  }
}

void SnapshotBuilder::append(Context array_context, const Scalar& value) {
  if (value.kind == Scalar::Kind::Null) return fail(ErrorCode::Malformed, "null in a list");
  if (array_context == Context::NamespacePids) {
    snapshot_.target.namespace_pids.push_back(Assign::small_number(*this, value).value_or(0));
  } else if (array_context == Context::Arguments) {
    Assign::text(*this, value, snapshot_.target.arguments.emplace_back());
  } else {
    fail(ErrorCode::Malformed, "not an object");
  }
}

}  // namespace vmscan::formats
