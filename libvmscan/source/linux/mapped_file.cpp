#include "libvmscan/source/linux/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <string>

namespace vmscan {

bool is_mapped_file(const struct stat& status, const Mapping& mapping) {
  if (!S_ISREG(status.st_mode) || status.st_ino != mapping.inode) return false;
  const bool same_device = major(status.st_dev) == mapping.device_major && minor(status.st_dev) == mapping.device_minor;
  const bool nameless_device = mapping.device_major == 0 || major(status.st_dev) == 0;
  return same_device || nameless_device;
}

Fd open_mapped_file(const ProcDir& proc, const Mapping& mapping) {
  const std::string inside = "root" + mapping.path;
  const std::string link = fmt::format("map_files/{:x}-{:x}", mapping.range.begin, mapping.range.end);
  for (const std::string& name : {inside, link}) {
    struct stat status {};
    Fd fd(::openat(proc.fd(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || !is_mapped_file(status, mapping)) continue;
    return fd;
  }
  return Fd();
}

}  // namespace vmscan
