#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "libvmscan/source/file_bytes.h"
#include "libvmscan/source/posix/read_at.h"

namespace vmscan {
namespace {

struct OpenFile {
  int fd;
  explicit OpenFile(int descriptor) : fd(descriptor) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(fd); }
};

ErrorCode code_of(int error) {
  if (error == ENOENT || error == ENOTDIR) return ErrorCode::NotFound;
  return error == EACCES || error == EPERM ? ErrorCode::AccessDenied : ErrorCode::Io;
}

FileBytes bytes_of(std::shared_ptr<const OpenFile> file, std::uint64_t size) {
  return {.size = size, .read = [file = std::move(file)](std::uint64_t offset, std::span<std::byte> buffer) {
            return read_at(file->fd, offset, buffer);
          }};
}

}  // namespace

std::size_t read_at(int fd, std::uint64_t offset, std::span<std::byte> buffer) {
  constexpr std::uint64_t end_of_offsets = std::uint64_t{1} << 62;
  std::size_t done = 0;
  while (done < buffer.size() && offset + done < end_of_offsets) {
    const ssize_t n = ::pread(fd, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<FileBytes> open_file_bytes(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return fail(code_of(errno), fmt::format("{}: {}", path, std::strerror(errno)));
  auto file = std::make_shared<const OpenFile>(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fail(ErrorCode::Io, fmt::format("{}: {}", path, std::strerror(errno)));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::Unsupported, fmt::format("{}: not a regular file", path));
  return bytes_of(file, static_cast<std::uint64_t>(status.st_size));
}

FileBytes bytes_of_descriptor(int fd, std::uint64_t size) {
  return bytes_of(std::make_shared<const OpenFile>(fd), size);
}

}  // namespace vmscan
