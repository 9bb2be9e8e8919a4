#include "libvmscan/base/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <io.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>

namespace vmscan {
namespace {

struct OpenFile {
  int fd;
  std::mutex seeking;  // there is no pread here
  explicit OpenFile(int descriptor) : fd(descriptor) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::_close(fd); }

  std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) {
    constexpr std::size_t most_at_once = 1 << 30;
    const std::scoped_lock lock(seeking);
    if (offset >> 62 != 0 || ::_lseeki64(fd, static_cast<long long>(offset), SEEK_SET) < 0) return 0;
    std::size_t done = 0;
    while (done < buffer.size()) {
      const auto wanted = static_cast<unsigned>(std::min(buffer.size() - done, most_at_once));
      const int n = ::_read(fd, buffer.data() + done, wanted);
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }
};

}  // namespace

Result<FileBytes> open_file_bytes(const std::string& path) {
  const std::filesystem::path name(std::u8string(path.begin(), path.end()));
  std::error_code error;
  if (std::filesystem::exists(name, error) && !std::filesystem::is_regular_file(name, error))
    return fail(ErrorCode::Unsupported, fmt::format("{}: not a regular file", path));
  const int fd = ::_wopen(name.c_str(), _O_RDONLY | _O_BINARY | _O_NOINHERIT);
  if (fd < 0)
    return fail(errno == ENOENT   ? ErrorCode::NotFound
                : errno == EACCES ? ErrorCode::AccessDenied
                                  : ErrorCode::Io,
                fmt::format("{}: {}", path, std::strerror(errno)));
  auto file = std::make_shared<OpenFile>(fd);
  const long long size = ::_filelengthi64(fd);
  if (size < 0) return fail(ErrorCode::Io, fmt::format("{}: {}", path, std::strerror(errno)));
  return FileBytes{
      .size = static_cast<std::uint64_t>(size),
      .read = [file](std::uint64_t offset, std::span<std::byte> buffer) { return file->read(offset, buffer); }};
}

}  // namespace vmscan
