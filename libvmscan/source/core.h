// ELF cores as sources.
#pragma once

#include <memory>
#include <string>

#include "libvmscan/source/file_bytes.h"
#include "libvmscan/source/source.h"

namespace vmscan {

/// Errors: as open_file_bytes() and read_core_file(); the message names the file.
Result<std::unique_ptr<Source>> open_core(const std::string& path);

}  // namespace vmscan
