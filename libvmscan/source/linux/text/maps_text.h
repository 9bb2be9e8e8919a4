// /proc/PID/maps (proc(5); fs/proc/task_mmu.c show_map_vma):
//   7fa8cf979000-7fa8cf99f000 r--p 00026000 fe:00 332835                     /usr/lib/x86_64-linux-gnu/libc.so.6
// The path is the rest of the line, verbatim, blanks included; only a newline is escaped, as \012. " (deleted)" is
// added by the kernel, but may as well be part of a name: whoever can look at the file decides (Mapping::deleted is a
// claim).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libvmscan/base/result.h"
#include "libvmscan/model/facts.h"

namespace vmscan {

/// Parses one line without its newline. Errors: Malformed.
Result<Mapping> parse_maps_line(std::string_view line);

struct MapsText {
  std::vector<Mapping> mappings;  // in the order of the text
  std::vector<Note> notes;        // lines that are no mapping ("bad_mapping_line"), at most 20
  bool ordered = true;            // false: mappings overlap or go backwards, as when the map changed while it was read
};

/// Takes the map line by line, so that its text need not be kept.
class MapsParser {
 public:
  /// One line without its newline.
  void add(std::string_view line);
  const MapsText& map() const { return map_; }
  MapsText take() { return std::move(map_); }

 private:
  MapsText map_;
  std::size_t lines_ = 0;
  Address end_ = 0;
};

MapsText parse_maps(std::string_view text);

/// Takes the next hexadecimal number (at most 16 digits) off the front of `text`.
bool take_hex(std::string_view& text, std::uint64_t& value);
/// Takes the next decimal number off the front of `text`; false when there is none or it does not fit.
bool take_decimal(std::string_view& text, std::uint64_t& value);
/// Takes the text up to the next newline (or the end) off the front of `text`.
std::string_view take_line(std::string_view& text);

}  // namespace vmscan
