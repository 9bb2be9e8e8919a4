#include "libvmscan/source/linux/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <string>

namespace vmscan {
namespace {

/// The file that is there now, as the target sees it.
std::optional<FileLook> look_by_path(const ProcDir& proc, const std::string& path) {
  const Fd root(::openat(proc.fd(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  return root.valid() ? look_at_file(root.get(), path, Follow::Nothing) : std::nullopt;
}

}  // namespace

bool is_mapped_file(const struct stat& status, const Mapping& mapping) {
  if (!S_ISREG(status.st_mode) || status.st_ino != mapping.inode) return false;
  const bool same_device = major(status.st_dev) == mapping.device_major && minor(status.st_dev) == mapping.device_minor;
  const bool nameless_device = major(status.st_dev) == 0;
  return same_device || nameless_device;
}

bool is_there(const ProcDir& proc, const Mapping& mapping, const std::string& path) {
  const auto look = look_by_path(proc, path);
  return look && is_mapped_file(look->status, mapping);
}

Fd open_mapped_file(const ProcDir& proc, const Mapping& mapping) {
  if (const auto look = look_by_path(proc, mapping.path); look && is_mapped_file(look->status, mapping))
    return open_looked_at(*look);
  const std::string link = fmt::format("map_files/{:x}-{:x}", mapping.range.begin, mapping.range.end);
  const auto look = look_at_file(proc.fd(), link, Follow::Anything);
  return look && is_mapped_file(look->status, mapping) ? open_looked_at(*look) : Fd();
}

}  // namespace vmscan
