// The file behind a mapping of a live process, and only if it is still the very file that is mapped.
#pragma once

#include "libvmscan/base/posix/regular_file.h"
#include "libvmscan/model/facts.h"
#include "libvmscan/source/linux/proc_dir.h"

namespace vmscan {

/// Whether `status` is the file of the mapping. On overlay file systems and btrfs stat shows a device without a number
/// of its own, and another one than maps: there the inode has to do.
bool is_mapped_file(const struct stat& status, const Mapping& mapping);

/// Whether the file of the mapping is the one that the target sees at `path`.
bool is_there(const ProcDir& proc, const Mapping& mapping, const std::string& path);

/// Opens the file as the target sees it (below its root directory, so containers work), or by map_files when it was
/// deleted or replaced. A pipe, a device or a symbolic link that has taken its name is never opened. Not valid: there
/// is none.
Fd open_mapped_file(const ProcDir& proc, const Mapping& mapping);

}  // namespace vmscan
