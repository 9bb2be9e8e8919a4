#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "formats/native/snapshot_fields.h"
#include "formats/native/snapshot_json.h"
#include "formats/views/text.h"

namespace vmscan::formats {
namespace {

using Json = nlohmann::json;

constexpr std::size_t deepest = 64;

/// Walks a JSON text and hands each value to the builder. Reads as a stream: a tree of 60,000 regions would take three
/// times as long and ten times the memory. Every handler returns false to stop.
class Walker {
 public:
  Walker(SnapshotBuilder& builder, std::size_t text_size) : builder_(builder), text_size_(text_size) {}

  bool null() { return scalar({}); }
  bool boolean(bool value) { return scalar({.kind = Scalar::Kind::Boolean, .boolean = value, .digits = {}}); }
  bool number_unsigned(std::uint64_t value) {
    return scalar({.kind = Scalar::Kind::Number, .number = value, .digits = {}});
  }
  bool number_integer(std::int64_t value) { return bad_number(fmt::to_string(value)); }  // only for negative ones
  bool number_float(double, const std::string& digits) { return bad_number(digits); }
  bool string(std::string& text) { return scalar({.kind = Scalar::Kind::Text, .text = &text, .digits = {}}); }
  bool binary(Json::binary_t&) { return false; }  // not in JSON text

  bool start_object(std::size_t) {
    const auto context = next_context(false);
    return context && enter(*context);
  }
  bool start_array(std::size_t) {
    const auto context = next_context(true);
    return context && enter(*context);
  }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }

  bool key(std::string& name) {
    Frame& frame = frames_.back();
    frame.field = nullptr;
    if (frame.context == Context::Limits) limit_ = std::move(name);
    // Keys nearly always come in the order of the table.
    for (std::size_t i = 0; i < frame.fields.size(); ++i) {
      const Field& field = frame.fields[frame.next];
      frame.next = frame.next + 1 == frame.fields.size() ? 0 : frame.next + 1;
      if (field.name != name) continue;
      frame.field = &field;
      break;
    }
    return true;
  }

  template <class Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    if (position > text_size_) return fail(ErrorCode::Truncated, "the file ends in the middle of a snapshot");
    return fail(ErrorCode::Malformed, fmt::format("not JSON at byte {}", position));
  }

  const Error& error() const { return error_; }

 private:
  struct Frame {
    Context context = Context::Ignored;
    std::span<const Field> fields;
    std::size_t next = 0;          // where to look for the next key
    const Field* field = nullptr;  // the key being read; null: unknown
    std::size_t index = 0;         // of the element being read, in an array
  };

  bool fail(ErrorCode code, std::string message) {
    error_ = {code, std::move(message)};
    return false;
  }

  /// "regions[12].blocks[0].size"
  std::string place() const {
    std::string place;
    for (const Frame& frame : frames_) {
      if (is_array(frame.context)) {
        place += fmt::format("[{}]", frame.index);
      } else if (frame.context == Context::Limits) {
        place += "." + quote(limit_);
      } else if (frame.field != nullptr) {
        place += fmt::format("{}{}", place.empty() ? "" : ".", frame.field->name);
      }
    }
    return place;
  }

  /// After each step of the builder: stops at a problem, remembers an oddity.
  bool check() {
    if (const auto& problem = builder_.problem()) {
      const std::string where = place() + problem->place;
      return fail(problem->code, where.empty() ? problem->reason : fmt::format("{}: {}", where, problem->reason));
    }
    if (builder_.oddity()) builder_.record_oddity(place());
    return true;
  }

  bool refuse(std::string reason) {
    builder_.fail(ErrorCode::Malformed, std::move(reason));
    return check();
  }

  bool bad_number(const std::string& digits) { return scalar({.kind = Scalar::Kind::BadNumber, .digits = digits}); }

  bool scalar(const Scalar& value) {
    if (frames_.empty()) return refuse("not a JSON object");
    Frame& frame = frames_.back();
    if (is_array(frame.context)) {
      builder_.append(frame.context, value);
    } else if (frame.context == Context::Limits) {
      if (value.kind != Scalar::Kind::Null) return refuse("not an object");
    } else if (frame.field != nullptr) {
      builder_.assign(*frame.field, value);
    }
    return check() && finish_value();
  }

  /// What an object or array that begins now is; nothing and an error when none may stand here.
  std::optional<Context> next_context(bool array) {
    if (frames_.empty() && !array) return Context::Root;
    if (frames_.empty()) return refused("not a JSON object");
    const Frame& frame = frames_.back();
    if (frame.context == Context::Ignored) return Context::Ignored;
    if (is_array(frame.context)) {
      const Context element = element_of(frame.context);
      return array || element == Context::Ignored ? refused("a list where none belongs") : element;
    }
    if (frame.context == Context::Limits) return array ? refused("not an object") : Context::Limit;
    if (frame.field == nullptr) return Context::Ignored;
    if (frame.field->is_scalar()) return refused("not a single value");
    if (frame.field->is_array != array) return refused(array ? "not an object" : "not an array");
    return frame.field->opens;
  }

  std::optional<Context> refused(std::string reason) {
    refuse(std::move(reason));
    return std::nullopt;
  }

  bool enter(Context context) {
    if (frames_.size() >= deepest) return fail(ErrorCode::Malformed, "nested too deeply");
    builder_.enter(context, limit_);
    if (!check()) return false;
    frames_.push_back({context, fields_of(context)});
    return true;
  }

  bool leave() {
    const Context context = frames_.back().context;
    frames_.pop_back();
    builder_.leave(context);
    return check() && finish_value();
  }

  bool finish_value() {
    if (!frames_.empty()) ++frames_.back().index;
    return true;
  }

  SnapshotBuilder& builder_;
  std::size_t text_size_;
  std::vector<Frame> frames_;
  std::string limit_;  // the key being read among the limits
  Error error_;
};

}  // namespace

Result<Snapshot> read_snapshot(std::string_view text) {
  // The parser would take a NUL for the end, and what follows for read.
  const std::size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    return fail(ErrorCode::Malformed, fmt::format("not JSON at byte {}: a NUL", nul + 1));
  }
  SnapshotBuilder builder;
  Walker walker(builder, text.size());
  if (!Json::sax_parse(text.begin(), text.end(), &walker)) return std::unexpected(walker.error());
  if (!builder.has_schema()) return fail(ErrorCode::Malformed, fmt::format("no schema: not a {}", snapshot_schema));
  return builder.finish();
}

}  // namespace vmscan::formats
