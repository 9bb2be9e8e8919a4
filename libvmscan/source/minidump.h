// Minidumps as sources: of Windows, and the Linux kind that Breakpad and Crashpad write.
#pragma once

#include <memory>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/source/source.h"

namespace vmscan {

/// Errors: as read_minidump_file().
Result<std::unique_ptr<Source>> open_minidump(FileBytes file);

}  // namespace vmscan
