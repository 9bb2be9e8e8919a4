// The only way to a file whose path somebody else gave: a target, whose user may have put a pipe or a device in the
// place of a library, or a core, whose paths are bytes like all others. Opening such a thing may wait for ever or act
// on a device, so it is looked at first, by a descriptor that only names it (O_PATH), and opened when it is a file.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "libvmscan/base/posix/fd.h"

namespace vmscan {

/// What may stand in a path.
enum class Follow {
  Nothing,     // no symbolic links: the kernel gave the path, in which there were none
  WithinRoot,  // links, of which absolute ones begin at the directory, and none of which leads out of it
  Anything,    // the caller trusts the path
};

/// What is behind a path. Nothing has been opened for reading yet.
struct FileLook {
  Fd name;
  struct stat status {};
};

/// Looks at `path` below the directory; nothing, with the reason in errno, where it leads to nothing. Slashes at its
/// beginning do not count, unless anything may be followed. Never opens what is there.
std::optional<FileLook> look_at_file(int directory, const std::string& path, Follow follow);
/// The same without openat2(2), which came with Linux 5.6 and which old filters of system calls refuse: here no
/// symbolic link is followed at all.
std::optional<FileLook> look_by_components(int directory, const std::string& path);

/// Opens for reading what was looked at; not valid unless it is a regular file.
Fd open_looked_at(const FileLook& look);

}  // namespace vmscan
