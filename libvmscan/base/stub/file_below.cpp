#include <fmt/format.h>

#include "libvmscan/base/file_bytes.h"

namespace vmscan {

/// Nothing here could keep symbolic links within a root: only what lies in one that the user names is opened.
Result<FileBytes> open_file_below(const std::string& root, const std::string& path) {
  if (root.empty()) return fail(ErrorCode::Unsupported, fmt::format("{}: a path of another system", path));
  return open_file_bytes(root + path);
}

}  // namespace vmscan
