// The file behind a mapping of a live process, and only if it is still the very file that is mapped.
#pragma once

#include <sys/stat.h>

#include "libvmscan/model/facts.h"
#include "libvmscan/source/linux/proc_dir.h"

namespace vmscan {

/// Whether `status` is the file of the mapping. On overlay file systems and btrfs stat shows another device than maps:
/// there the inode has to do.
bool is_mapped_file(const struct stat& status, const Mapping& mapping);

/// Opens the file as the target sees it (its root directory, so containers work), or by map_files when it was deleted
/// or replaced. Nothing in /dev must be asked for, as opening could have effects; elsewhere a pipe or device that has
/// taken a file's name meanwhile is opened without waiting, seen for what it is, and closed. Not valid: there is none.
Fd open_mapped_file(const ProcDir& proc, const Mapping& mapping);

}  // namespace vmscan
