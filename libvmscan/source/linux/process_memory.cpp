#include "libvmscan/source/linux/process_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "libvmscan/source/linux/mapped_file.h"
#include "libvmscan/source/linux/page_walker.h"
#include "libvmscan/source/linux/pagemap_scan.h"
#include "libvmscan/source/linux/zero_page.h"
#include "libvmscan/source/posix/read_at.h"

namespace vmscan {
namespace {

constexpr std::uint64_t threads_pay_bytes = std::uint64_t{256} << 20;

}  // namespace

/// A pid comes back only after all others had their turn: no look is needed within a millisecond of the last one, and
/// small reads would take twice the time.
bool ProcessMemory::gone() const {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  const std::int64_t now = std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  if (now - checked_at_ns_.load(std::memory_order_relaxed) < 1'000'000) return false;
  if (proc_.gone()) return true;
  checked_at_ns_.store(now, std::memory_order_relaxed);
  return false;
}

Result<std::size_t> ProcessMemory::do_read(Address address, std::span<std::byte> buffer) const {
  const iovec local{buffer.data(), buffer.size()};
  const iovec remote{reinterpret_cast<void*>(address), buffer.size()};  // NOLINT: an address of another process
  const ssize_t n = ::process_vm_readv(static_cast<pid_t>(proc_.pid()), &local, 1, &remote, 1, 0);
  const int error = n < 0 ? errno : 0;
  if (error == ESRCH || gone())
    return fail(ErrorCode::Vanished, fmt::format("pid {}: the process has ended", proc_.pid()));
  if (n >= 0) return static_cast<std::size_t>(n);
  if (error == EFAULT) return std::size_t{0};
  return fail(error == EPERM ? ErrorCode::AccessDenied : ErrorCode::Io,
              fmt::format("memory of pid {}: {}", proc_.pid(), std::strerror(error)));
}

Result<std::vector<Range>> ProcessMemory::do_present(std::span<const Range> ranges) const {
  const Result<Fd> pagemap = proc_.open_file("pagemap");
  if (!pagemap) return std::unexpected(pagemap.error());
  std::vector<PageWalkMapping> plan;
  std::uint64_t span = 0;
  for (const Range range : ranges) {
    plan.push_back({.range = range, .shared = false, .anonymous = false, .hugetlb = false, .skip = false});
    span += range.size();
  }
  const auto page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const PageWalkOptions options{
      .pagemap_fd = pagemap->get(),
      .page_size = page_size,
      .use_scan = PagemapScan(pagemap->get(), page_size).available(),
      .swap_possible = true,
      .zero_page_frame = zero_page_frame(page_size),
      .resident_bytes = span,
      .threads = span < threads_pay_bytes ? 1 : std::clamp(std::thread::hardware_concurrency(), 1U, 4U)};
  const PageWalkResult walk = walk_pages(plan, options);
  if (walk.address_space_gone || proc_.gone())
    return fail(ErrorCode::Vanished, fmt::format("pid {}: the process has ended", proc_.pid()));
  if (walk.error != 0)
    return fail(ErrorCode::Io, fmt::format("/proc/{}/pagemap: {}", proc_.pid(), std::strerror(walk.error)));
  std::vector<Range> found;
  for (const PageRun& run : walk.pages.runs()) {
    if ((run.condition & page::present) == 0) continue;
    if (!found.empty() && found.back().end == run.range.begin)
      found.back().end = run.range.end;
    else
      found.push_back(run.range);
  }
  return found;
}

std::optional<FileBytes> ProcessMemory::do_mapped_file(const Mapping& mapping) const {
  if (mapping.inode == 0 || !mapping.path.starts_with('/') || mapping.path.starts_with("/dev/")) return std::nullopt;
  const Fd fd = open_mapped_file(proc_, mapping);
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return std::nullopt;
  const int own = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  if (own < 0) return std::nullopt;
  return bytes_of_descriptor(own, static_cast<std::uint64_t>(status.st_size));
}

}  // namespace vmscan
