// ELF cores as sources.
#pragma once

#include <memory>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/source/source.h"

namespace vmscan {

/// Errors: as read_core_file().
Result<std::unique_ptr<Source>> open_core(FileBytes file);

}  // namespace vmscan
