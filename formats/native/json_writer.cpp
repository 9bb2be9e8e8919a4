#include "formats/native/json_writer.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace vmscan::formats {
namespace {

/// Whether a text can stand between quotes as it is.
bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') return false;
  }
  return true;
}

/// Collects a short piece, so that the output grows once for it.
class Piece {
 public:
  static constexpr std::size_t longest_text = 48;

  explicit Piece(bool& first) {
    if (!first) put(',');
    first = false;
  }
  void put(char c) { bytes_[size_++] = c; }
  void put(std::string_view text) { size_ += text.copy(bytes_ + size_, longest_text); }
  template <class Number>
  void put_number(Number value, int base = 10) {
    size_ = static_cast<std::size_t>(std::to_chars(bytes_ + size_, bytes_ + sizeof bytes_, value, base).ptr - bytes_);
  }
  void append_to(std::string& out) const { out.append(bytes_, size_); }

 private:
  char bytes_[longest_text + 8];
  std::size_t size_ = 0;
};

}  // namespace

void JsonWriter::separate() {
  if (!first_) out_ += ',';
  first_ = false;
}

void JsonWriter::begin_object() {
  separate();
  out_ += '{';
  first_ = true;
}

void JsonWriter::end_object() {
  out_ += '}';
  first_ = false;
}

void JsonWriter::begin_array() {
  separate();
  out_ += '[';
  first_ = true;
}

void JsonWriter::end_array() {
  out_ += ']';
  first_ = false;
}

void JsonWriter::key(std::string_view name) {
  Piece piece(first_);
  piece.put('"');
  piece.put(name);
  piece.put("\":");
  piece.append_to(out_);
  first_ = true;
}

void JsonWriter::foreign_key(std::string_view name) {
  string(name);
  out_ += ':';
  first_ = true;
}

void JsonWriter::string(std::string_view text) {
  separate();
  if (is_plain(text)) {
    out_ += '"';
    out_ += text;
    out_ += '"';
    return;
  }
  using Json = nlohmann::json;
  out_ += Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void JsonWriter::number(std::uint64_t value) {
  Piece piece(first_);
  piece.put_number(value);
  piece.append_to(out_);
}

void JsonWriter::number(std::int64_t value) {
  Piece piece(first_);
  piece.put_number(value);
  piece.append_to(out_);
}

void JsonWriter::number(double value) {
  if (!std::isfinite(value)) return null();
  char digits[32];
  separate();
  out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void JsonWriter::bytes(Bytes value) { value.known() ? number(*value) : null(); }

void JsonWriter::address(Address value) {
  Piece piece(first_);
  piece.put("\"0x");
  piece.put_number(value, 16);
  piece.put('"');
  piece.append_to(out_);
}

void JsonWriter::boolean(bool value) {
  separate();
  out_ += value ? "true" : "false";
}

void JsonWriter::null() {
  separate();
  out_ += "null";
}

}  // namespace vmscan::formats
