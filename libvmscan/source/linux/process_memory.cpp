#include "libvmscan/source/linux/process_memory.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace vmscan {

Result<std::size_t> ProcessMemory::do_read(Address address, std::span<std::byte> buffer) const {
  const iovec local{buffer.data(), buffer.size()};
  const iovec remote{reinterpret_cast<void*>(address), buffer.size()};  // NOLINT: an address of another process
  const ssize_t n = ::process_vm_readv(static_cast<pid_t>(proc_.pid()), &local, 1, &remote, 1, 0);
  const int error = n < 0 ? errno : 0;
  if (error == ESRCH || proc_.gone())
    return fail(ErrorCode::Vanished, fmt::format("pid {}: the process has ended", proc_.pid()));
  if (n >= 0) return static_cast<std::size_t>(n);
  if (error == EFAULT) return std::size_t{0};
  return fail(error == EPERM ? ErrorCode::AccessDenied : ErrorCode::Io,
              fmt::format("memory of pid {}: {}", proc_.pid(), std::strerror(error)));
}

}  // namespace vmscan
