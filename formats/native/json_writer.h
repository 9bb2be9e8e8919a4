// Writes JSON as a stream: a document of 60,000 regions costs a tenth of what building a tree first would.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libvmscan/base/bytes.h"
#include "libvmscan/base/range.h"

namespace vmscan::formats {

/// Appends to a string. The caller pairs begin and end; commas are put by the writer.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  void key(std::string_view name);          // one of ours: plain ASCII, at most 48 characters, taken as it is
  void foreign_key(std::string_view name);  // any

  void string(std::string_view text);  // bytes that are not UTF-8 become U+FFFD
  void number(std::uint64_t value);
  void number(std::int64_t value);
  void number(double value);    // shortest digits that give it back; null when it is not finite
  void bytes(Bytes value);      // null when unknown
  void address(Address value);  // "0x…"
  void boolean(bool value);
  void null();

 private:
  void separate();
  std::string& out_;
  bool first_ = true;
};

/// "2026-11-21T08:00:12.345Z" (RFC 3339, UTC, milliseconds), and back.
std::string format_time(std::int64_t unix_ms);
bool parse_time(std::string_view text, std::int64_t& unix_ms);

}  // namespace vmscan::formats
