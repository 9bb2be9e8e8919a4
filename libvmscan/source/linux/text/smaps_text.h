// /proc/PID/smaps (proc(5)): for each mapping the line of maps, then "Key:   123 kB" lines and "VmFlags: rd ex …".
// Keys come and go with kernels: unknown ones are passed over, missing ones stay unknown. kB is 1024 bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/model/facts.h"

namespace vmscan {

struct SmapsEntry {
  Range range;
  std::shared_ptr<const SmapsFacts> facts;
};

/// Takes smaps in pieces of any size, since the text of 60,000 mappings is 43 MB.
class SmapsParser {
 public:
  void feed(std::string_view text);
  /// Ends the input; call once.
  std::vector<SmapsEntry> finish();

 private:
  void line(std::string_view line);
  void close_entry();

  std::string partial_;  // the beginning of a line that a piece ended in
  Range range_;
  SmapsFacts facts_;
  bool open_ = false;
  std::vector<SmapsEntry> entries_;
};

}  // namespace vmscan
