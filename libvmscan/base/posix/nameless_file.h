// A temporary file without a name.
#pragma once

#include <string>

namespace vmscan {

/// Open for reading and writing, gone when it is closed; -1 when it cannot be made (errno).
int open_nameless(const std::string& directory);

}  // namespace vmscan
