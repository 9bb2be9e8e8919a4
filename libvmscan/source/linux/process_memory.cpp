#include "libvmscan/source/linux/process_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "libvmscan/base/run_on_threads.h"
#include "libvmscan/source/linux/page_walker.h"
#include "libvmscan/source/linux/pagemap_scan.h"
#include "libvmscan/source/linux/text/pagemap_entry.h"
#include "libvmscan/source/linux/zero_page.h"

namespace vmscan {
namespace {

constexpr std::size_t large_read = 64 << 10;  // from there on, a look at pagemap costs little beside the copy
constexpr std::size_t entries_at_once = 512;
constexpr std::uint64_t threads_pay_bytes = std::uint64_t{256} << 20;
constexpr std::uint64_t near_bytes = std::uint64_t{1} << 20;  // ranges so near to each other are scanned as one

constexpr std::int64_t fresh_ns = 1'000'000'000;

std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void append_joined(std::vector<Range>& list, Range range) {
  if (range.empty()) return;
  if (!list.empty() && list.back().end == range.begin)
    list.back().end = range.end;
  else
    list.push_back(range);
}

/// What of the ranges (sorted, not overlapping) PAGEMAP_SCAN finds in RAM; nothing when it fails. It costs a fraction
/// of reading pagemap, for which the kernel looks up the folio of every page (fs/proc/task_mmu.c).
std::optional<std::vector<Range>> scanned(const PagemapScan& scan, std::span<const Range> ranges) {
  std::vector<Range> found;
  std::array<scan::PageRegion, entries_at_once> regions{};
  for (std::size_t first = 0, last = 0; first < ranges.size(); first = last) {
    Range all = ranges[first];
    for (last = first + 1; last < ranges.size() && ranges[last].begin - all.end <= near_bytes; ++last)
      all.end = ranges[last].end;
    std::size_t range = first;
    for (Address at = all.begin; at < all.end;) {
      const auto step = scan.find({at, all.end}, scan::present, 0, regions, scan::zero_page);
      if (!step) return std::nullopt;
      for (const scan::PageRegion& region : std::span(regions).first(step->regions)) {
        const Range pages{region.start, region.end};
        while (range < last && ranges[range].end <= pages.begin) ++range;
        for (std::size_t i = range; i < last && ranges[i].begin < pages.end; ++i)
          append_joined(found, ranges[i].intersect(pages));
      }
      at = step->next;
    }
  }
  return found;
}

}  // namespace

/// A pid comes back only after all others had their turn: no look is needed within a millisecond of the last one, and
/// small reads would take twice the time.
bool ProcessMemory::gone() const {
  const std::int64_t now = now_ns();
  if (now - checked_at_ns_.load(std::memory_order_relaxed) < 1'000'000) return false;
  if (proc_.gone()) return true;
  checked_at_ns_.store(now, std::memory_order_relaxed);
  return false;
}

void ProcessMemory::open_files() const {
  if (auto file = proc_.open_file("mem")) memory_file_ = std::move(*file);
  if (auto file = proc_.open_file("pagemap")) pagemap_ = std::move(*file);
}

/// Of a large read, before it. Where pagemap cannot be read, what the caller knew has to do.
ProcessMemory::Look ProcessMemory::look_at_pages(Address address, std::size_t size) const {
  static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t first = address / page_bytes, last = (address + (size - 1)) / page_bytes;
  std::array<std::uint64_t, entries_at_once> entries{};
  Look look{.size = size, .may_pin = true};
  for (std::uint64_t page = first; page <= last; page += entries.size()) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(entries.size(), last - page + 1));
    const ssize_t got = ::pread(pagemap_.get(), entries.data(), wanted * sizeof(entries[0]),
                                static_cast<off_t>(page * sizeof(entries[0])));
    if (got < 0 || static_cast<std::size_t>(got) != wanted * sizeof(entries[0]))
      return {.size = size, .may_pin = false};
    for (std::size_t i = 0; i < wanted; ++i) {
      if ((entries[i] & pagemap::present) == 0 && !all_pages_) {
        const Address end = (page + i) * page_bytes;
        look.size = end > address ? static_cast<std::size_t>(end - address) : 0;
        return look;
      }
      constexpr std::uint64_t asked = pagemap::present | pagemap::file_or_shared | pagemap::exclusive;
      look.may_pin = look.may_pin && (entries[i] & asked) != pagemap::present;
    }
  }
  return look;
}

std::int64_t ProcessMemory::read_memory(Address address, std::span<std::byte> buffer) const {
  std::call_once(opened_, [this] { open_files(); });
  Look look{.size = buffer.size(), .may_pin = false};
  if (buffer.size() >= large_read && pagemap_.valid()) look = look_at_pages(address, buffer.size());
  if (look.size == 0) return 0;
  if (!look.may_pin && memory_file_.valid())
    return ::pread(memory_file_.get(), buffer.data(), look.size, static_cast<off_t>(address));
  const iovec local{buffer.data(), look.size};
  const iovec remote{reinterpret_cast<void*>(address), look.size};  // NOLINT: an address of another process
  return ::process_vm_readv(static_cast<pid_t>(proc_.pid()), &local, 1, &remote, 1, 0);
}

Result<std::size_t> ProcessMemory::do_read(Address address, std::span<std::byte> buffer) const {
  if (buffer.empty()) return std::size_t{0};
  if (const FilePart* part = file_part_behind(address)) {
    const bool inside = part->range.contains(address);
    const Address end = inside ? part->range.end : part->range.begin;
    buffer = buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - address)));
    if (inside) return part->file->read(part->offset + (address - part->range.begin), buffer);
  }
  const std::int64_t n = read_memory(address, buffer);
  const int error = n < 0 ? errno : 0;
  if (error == ESRCH || gone())
    return fail(ErrorCode::Vanished, fmt::format("pid {}: the process has ended", proc_.pid()));
  if (n >= 0) return static_cast<std::size_t>(n);
  if (error == EFAULT || error == EIO || error == EINVAL) return std::size_t{0};  // a hole, or no address at all
  return fail(error == EPERM ? ErrorCode::AccessDenied : ErrorCode::Io,
              fmt::format("memory of pid {}: {}", proc_.pid(), std::strerror(error)));
}

void ProcessMemory::take_note(PageRuns pages) {
  seen_ = std::move(pages);
  seen_at_ns_ = now_ns();
}

Result<std::vector<Range>> ProcessMemory::do_present(std::span<const Range> ranges) const {
  if (seen_at_ns_ && now_ns() - *seen_at_ns_ < fresh_ns) {
    std::vector<Range> found;
    for (const Range range : ranges)
      for (const Range part : seen_.present(range)) append_joined(found, part);
    return found;
  }
  const Result<Fd> pagemap = proc_.open_file("pagemap");
  if (!pagemap) return std::unexpected(pagemap.error());
  const auto page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const PagemapScan scan(pagemap->get(), page_size);
  if (scan.available())
    if (auto found = scanned(scan, ranges); found && !proc_.gone()) return *found;
  return walked(pagemap->get(), page_size, ranges);
}

Result<std::vector<Range>> ProcessMemory::walked(int pagemap_fd, std::uint64_t page_size,
                                                 std::span<const Range> ranges) const {
  std::vector<PageWalkMapping> plan;
  std::uint64_t span = 0;
  for (const Range range : ranges) {
    plan.push_back(PageWalkMapping::over(range));
    span += range.size();
  }
  const PageWalkOptions options{.pagemap_fd = pagemap_fd,
                                .page_size = page_size,
                                .use_scan = false,
                                .swap_possible = true,
                                .zero_page_frame = zero_page_frame(page_size),
                                .resident_bytes = span,
                                .threads = span < threads_pay_bytes ? 1 : std::min(processors(), 4U)};
  const PageWalkResult walk = walk_pages(plan, options);
  if (walk.address_space_gone || proc_.gone())
    return fail(ErrorCode::Vanished, fmt::format("pid {}: the process has ended", proc_.pid()));
  if (walk.error != 0)
    return fail(ErrorCode::Io, fmt::format("/proc/{}/pagemap: {}", proc_.pid(), std::strerror(walk.error)));
  std::vector<Range> found;
  for (const PageRun& run : walk.pages.runs())
    if ((run.condition & page::present) != 0) append_joined(found, run.range);
  return found;
}

/// The part with the address, or else the next one behind it; null when there is none.
const ProcessMemory::FilePart* ProcessMemory::file_part_behind(Address address) const {
  const auto part = std::partition_point(file_parts_.begin(), file_parts_.end(),
                                         [&](const FilePart& each) { return each.range.end <= address; });
  return part == file_parts_.end() ? nullptr : &*part;
}

void ProcessMemory::add_stored(const Mapping& mapping, Range part, std::vector<Range>& found) const {
  const std::vector<Range> held = seen_.held(part);
  std::shared_ptr<const FileBytes> file;
  if (mapping.inode != 0 && seen_.count(part).hugetlb == 0) {
    Mapping named = mapping;
    // The kernel's own names for shared memory lead elsewhere: only map_files leads to it.
    if (mapping.deleted || mapping.path.starts_with("/dev/") || mapping.path.starts_with("/memfd:")) named.path.clear();
    if (auto opened = files_.open(named)) file = std::make_shared<const FileBytes>(std::move(*opened));
  }
  const auto add_of_file = [&](Range absent) {
    const std::uint64_t offset = mapping.offset + (absent.begin - mapping.range.begin);
    if (file == nullptr || offset >= file->size || absent.empty()) return;
    absent.end = std::min(absent.end, absent.begin + (file->size - offset));
    file_parts_.push_back({absent, file, offset});
    append_joined(found, absent);
  };
  Address at = part.begin;
  for (const Range& range : held) {
    add_of_file({at, range.begin});
    append_joined(found, range);
    at = range.end;
  }
  add_of_file({at, part.end});
}

Result<std::vector<Range>> ProcessMemory::do_stored(std::span<const Range> ranges) const {
  file_parts_.clear();
  std::vector<Range> found;
  auto range = ranges.begin();
  for (const Mapping& mapping : mappings_) {
    while (range != ranges.end() && range->end <= mapping.range.begin) ++range;
    for (auto each = range; each != ranges.end() && each->begin < mapping.range.end; ++each)
      add_stored(mapping, mapping.range.intersect(*each), found);
  }
  return found;
}

std::optional<FileBytes> ProcessMemory::do_mapped_file(const Mapping& mapping) const {
  if (mapping.inode == 0 || !mapping.path.starts_with('/') || may_act(mapping.path)) return std::nullopt;
  return files_.open(mapping);
}

}  // namespace vmscan
