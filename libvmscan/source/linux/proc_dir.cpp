#include "libvmscan/source/linux/proc_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace vmscan {

int read_all(int fd, std::string& out, std::size_t max_bytes) {
  std::array<char, 8192> piece;  // files of /proc come in pieces of at most a page
  for (std::size_t left = max_bytes; left > 0;) {
    const ssize_t n = ::read(fd, piece.data(), std::min(piece.size(), left));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : 0;
    out.append(piece.data(), static_cast<std::size_t>(n));
    left -= static_cast<std::size_t>(n);
  }
  return 0;
}

std::string read_system_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd.valid() || read_all(fd.get(), text, 1 << 20) != 0) return {};
  return text;
}

Result<ProcDir> ProcDir::open(std::uint32_t pid) {
  const std::string path = fmt::format("/proc/{}", pid);
  Fd dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.valid()) return ProcDir(pid, std::move(dir));
  if (errno == ENOENT || errno == ESRCH) return fail(ErrorCode::NotFound, fmt::format("pid {}: no such process", pid));
  return fail(errno == EACCES || errno == EPERM ? ErrorCode::AccessDenied : ErrorCode::Io,
              fmt::format("{}: {}", path, std::strerror(errno)));
}

Error ProcDir::error(int number, const std::string& name) const {
  if (number == ESRCH || (number == ENOENT && gone()))
    return {ErrorCode::Vanished, fmt::format("pid {}: the process has ended", pid_)};
  const bool denied = number == EACCES || number == EPERM;
  const ErrorCode code = denied ? ErrorCode::AccessDenied : number == ENOENT ? ErrorCode::NotFound : ErrorCode::Io;
  return {code, fmt::format("/proc/{}/{}: {}", pid_, name, std::strerror(number))};
}

bool ProcDir::gone() const {
  struct stat status {};
  return ::fstatat(dir_.get(), "stat", &status, 0) != 0;
}

Result<Fd> ProcDir::open_file(const std::string& name, int flags) const {
  Fd fd(::openat(dir_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | flags));
  if (!fd.valid()) return std::unexpected(error(errno, name));
  return fd;
}

Result<std::string> ProcDir::read(const std::string& name, std::size_t max_bytes) const {
  const Result<Fd> fd = open_file(name);
  if (!fd) return std::unexpected(fd.error());
  std::string text;
  if (const int number = read_all(fd->get(), text, max_bytes)) return std::unexpected(error(number, name));
  return text;
}

Result<std::string> ProcDir::link(const std::string& name) const {
  std::array<char, 4096> target;
  const ssize_t n = ::readlinkat(dir_.get(), name.c_str(), target.data(), target.size());
  if (n < 0) return std::unexpected(error(errno, name));
  return std::string(target.data(), static_cast<std::size_t>(n));
}

Result<std::vector<std::string>> ProcDir::list(const std::string& name) const {
  const int fd = ::openat(dir_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return std::unexpected(error(errno, name));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd), ::closedir);
  std::vector<std::string> names;
  while (const dirent* entry = dir ? ::readdir(dir.get()) : nullptr)
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  return names;
}

}  // namespace vmscan
