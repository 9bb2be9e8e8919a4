#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "libvmscan/base/file_bytes.h"
#include "libvmscan/base/posix/read_at.h"
#include "libvmscan/base/posix/regular_file.h"

namespace vmscan {
namespace {

ErrorCode code_of(int error) {
  if (error == ENOENT || error == ENOTDIR) return ErrorCode::NotFound;
  return error == EACCES || error == EPERM ? ErrorCode::AccessDenied : ErrorCode::Io;
}

FileBytes bytes_of(std::shared_ptr<const Fd> file, std::uint64_t size) {
  return {.size = size, .read = [file = std::move(file)](std::uint64_t offset, std::span<std::byte> buffer) {
            return read_at(file->get(), offset, buffer);
          }};
}

/// `path` is for the message.
Result<FileBytes> bytes_of(const std::optional<FileLook>& look, const std::string& path) {
  if (!look) return fail(code_of(errno), fmt::format("{}: {}", path, std::strerror(errno)));
  if (!S_ISREG(look->status.st_mode)) return fail(ErrorCode::Unsupported, fmt::format("{}: not a regular file", path));
  Fd fd = open_looked_at(*look);
  if (!fd.valid()) return fail(code_of(errno), fmt::format("{}: {}", path, std::strerror(errno)));
  return bytes_of(std::make_shared<const Fd>(std::move(fd)), static_cast<std::uint64_t>(look->status.st_size));
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
  return bytes_of(look_at_file(AT_FDCWD, path, Follow::Anything), path);
}

Result<FileBytes> open_file_below(const std::string& root, const std::string& path) {
  const Fd directory(::open(root.empty() ? "/" : root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return fail(code_of(errno), fmt::format("{}: {}", root, std::strerror(errno)));
  const auto look = look_at_file(directory.get(), path, Follow::WithinRoot);
  // Files of /proc, whose reading may act on something, show a size of 0.
  if (look && look->status.st_size == 0) return fail(ErrorCode::Unsupported, fmt::format("{}{}: empty", root, path));
  return bytes_of(look, root + path);
}

FileBytes bytes_of_descriptor(int fd, std::uint64_t size) { return bytes_of(std::make_shared<const Fd>(fd), size); }

}  // namespace vmscan
