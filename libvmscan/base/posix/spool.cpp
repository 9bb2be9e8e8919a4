#include "libvmscan/base/spool.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "libvmscan/base/posix/nameless_file.h"
#include "libvmscan/base/posix/read_at.h"
#include "libvmscan/base/zero_bytes.h"

namespace vmscan {
namespace {

constexpr std::size_t block_bytes = 4096;
constexpr std::uint64_t look_at_disk_every = std::uint64_t{64} << 20;
constexpr std::uint64_t left_free = std::uint64_t{512} << 20;  // other programs shall not run into a full disk

/// Bytes up to where the next block of the file begins.
std::size_t to_boundary(std::uint64_t at, std::span<const std::byte> bytes) {
  return std::min(bytes.size(), block_bytes - static_cast<std::size_t>(at % block_bytes));
}

}  // namespace

struct Spool::State {
  std::string directory;
  std::uint64_t most_bytes;
  int fd = -1;
  std::uint64_t size = 0, written = 0, next_look = 0;

  ~State() {
    if (fd >= 0) ::close(fd);
  }

  Error failed(int number) const {
    return {ErrorCode::Io,
            fmt::format("temporary file in {}: {} (TMPDIR names another place)", directory, std::strerror(number))};
  }

  Result<void> write(std::span<const std::byte> bytes) {
    struct statvfs disk {};
    if (written >= next_look) {
      next_look = written + look_at_disk_every;
      if (::fstatvfs(fd, &disk) == 0 && std::uint64_t{disk.f_bavail} * disk.f_frsize < left_free)
        return std::unexpected(failed(ENOSPC));
    }
    written += bytes.size();
    for (std::uint64_t at = size; !bytes.empty();) {
      const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return std::unexpected(failed(errno));
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      at += static_cast<std::uint64_t>(n);
    }
    return {};
  }
};

Spool::Spool(std::unique_ptr<State> state) : state_(std::move(state)) {}
Spool::Spool(Spool&&) noexcept = default;
Spool& Spool::operator=(Spool&&) noexcept = default;
Spool::~Spool() = default;

Result<Spool> Spool::make(const std::string& directory, std::uint64_t most_bytes) {
  auto state = std::make_unique<State>();
  state->directory = directory;
  state->most_bytes = most_bytes;
  state->fd = open_nameless(directory);
  if (state->fd < 0) return std::unexpected(state->failed(errno));
  return Spool(std::move(state));
}

Result<void> Spool::append(std::span<const std::byte> bytes) {
  if (bytes.size() > state_->most_bytes - state_->size)
    return fail(ErrorCode::Unsupported, fmt::format("more than {} GiB", state_->most_bytes >> 30));
  while (!bytes.empty()) {
    const bool hole = all_zero(bytes.first(to_boundary(state_->size, bytes)));
    std::size_t run = 0;
    for (std::size_t block = 0; run < bytes.size(); run += block) {
      block = to_boundary(state_->size + run, bytes.subspan(run));
      if (all_zero(bytes.subspan(run, block)) != hole) break;
    }
    if (!hole)
      if (auto done = state_->write(bytes.first(run)); !done) return done;
    state_->size += run;
    bytes = bytes.subspan(run);
  }
  return {};
}

Result<FileBytes> Spool::finish() {
  if (::ftruncate(state_->fd, static_cast<off_t>(state_->size)) != 0) return std::unexpected(state_->failed(errno));
  return bytes_of_descriptor(std::exchange(state_->fd, -1), state_->size);
}

}  // namespace vmscan
