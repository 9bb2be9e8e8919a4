#include "libvmscan/base/posix/regular_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace vmscan {
namespace {

constexpr int name_only = O_PATH | O_CLOEXEC;

std::optional<FileLook> look_of(int fd) {
  FileLook look{.name = Fd(fd)};
  if (!look.name.valid() || ::fstat(fd, &look.status) != 0) return std::nullopt;
  return look;
}

int open_resolved(int directory, const char* path, std::uint64_t resolve) {
  constexpr int tries = 8;  // a directory on the way may be moved meanwhile
  const open_how how{.flags = name_only, .mode = 0, .resolve = resolve};
  for (int i = 0; i < tries; ++i) {
    const long fd = ::syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) return static_cast<int>(fd);
  }
  return -1;
}

std::string_view without_leading_slashes(std::string_view path) {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  return path;
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<FileLook> look_by_components(int directory, const std::string& path) {
  FileLook look;
  for (std::string_view rest = without_leading_slashes(path); !rest.empty(); rest = without_leading_slashes(rest)) {
    const std::string name(rest.substr(0, rest.find('/')));
    rest.remove_prefix(name.size());
    if (name == "..") return std::nullopt;
    const int from = look.name.valid() ? look.name.get() : directory;
    auto next = look_of(::openat(from, name.c_str(), name_only | O_NOFOLLOW));
    if (!next || S_ISLNK(next->status.st_mode)) return std::nullopt;
    look = std::move(*next);
  }
  return look.name.valid() ? std::optional(std::move(look)) : std::nullopt;
}

std::optional<FileLook> look_at_file(int directory, const std::string& path, Follow follow) {
  if (follow == Follow::Anything) return look_of(::openat(directory, path.c_str(), name_only));
  const std::string relative(without_leading_slashes(path));
  const std::uint64_t resolve = follow == Follow::Nothing ? RESOLVE_NO_SYMLINKS : RESOLVE_NO_MAGICLINKS;
  const int fd = open_resolved(directory, relative.c_str(), RESOLVE_IN_ROOT | resolve);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) return look_by_components(directory, path);
  return look_of(fd);
}

Fd open_looked_at(const FileLook& look) {
  if (!S_ISREG(look.status.st_mode)) return Fd();
  const std::string again = fmt::format("/proc/self/fd/{}", look.name.get());
  return Fd(::open(again.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

}  // namespace vmscan
