#include "libvmscan/source/linux/live_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <string_view>

#include "libvmscan/base/run_on_threads.h"
#include "libvmscan/base/step_timer.h"
#include "libvmscan/source/linux/pagemap_scan.h"
#include "libvmscan/source/linux/procmap_query.h"
#include "libvmscan/source/linux/text/maps_text.h"
#include "libvmscan/source/linux/text/smaps_text.h"
#include "libvmscan/source/linux/zero_page.h"

namespace vmscan {
namespace {

constexpr std::size_t max_map_bytes = std::size_t{1} << 30;
constexpr int torn_tries = 4;
constexpr std::uint64_t threads_pay_bytes = std::uint64_t{128}
                                            << 20;  // below, starting a thread costs more than it saves
constexpr std::uint64_t unbounded_walk_bytes = std::uint64_t{64} << 30;  // without PAGEMAP_SCAN: 1 ms per GiB
constexpr std::uint64_t countable_bytes = std::uint64_t{8} << 30;        // there, sums of smaps replace the walk

bool swap_in_use() {
  struct sysinfo info {};
  return ::sysinfo(&info) != 0 || info.totalswap != info.freeswap;
}

bool made_by_kernel(const Mapping& mapping) { return mapping.path.starts_with("[vvar"); }

bool anonymous(const Mapping& mapping) { return mapping.inode == 0 && !mapping.shared; }

bool may_be_hugetlb(const Mapping& mapping, const Facts& facts) {
  if (mapping.inode == 0) return false;
  return mapping.deleted || mapping.path.starts_with("/dev/") || mapping.path.starts_with("/memfd:") ||
         facts.memory_devices.contains({mapping.device_major, mapping.device_minor});
}

unsigned thread_count(const CollectOptions& options, const KernelCounters& counters) {
  if (options.threads > 0) return options.threads;
  if (counters.rss.value_or(0) < threads_pay_bytes) return 1;
  return std::min(processors(), 4U);
}

/// What smaps tells of the pages of a mapping, when it was not walked. It does not say which file pages of a private
/// mapping became anonymous one by one, so only mappings without such a mixture can be counted like this.
PageCounts counts_from(const SmapsFacts& facts, bool is_anonymous) {
  PageCounts counts;
  const std::uint64_t sole = facts.private_pages.value_or(0), several = facts.shared_pages.value_or(0);
  (is_anonymous ? counts.anonymous_exclusive : counts.file_exclusive) = sole;
  (is_anonymous ? counts.anonymous_shared : counts.file_shared) = several;
  counts.swapped = facts.swap.value_or(0);
  return counts;
}

bool without_pages(const SmapsFacts& facts) {
  return facts.rss == Bytes{0} && facts.swap == Bytes{0} && facts.hugetlb.value_or(0) == 0;
}

std::uint64_t span_of(const std::vector<Mapping>& mappings) {
  std::uint64_t span = 0;
  for (const Mapping& mapping : mappings) span += mapping.range.size();
  return span;
}

/// Of the lines so far and one more.
std::uint64_t fingerprint_with(std::uint64_t fingerprint, std::string_view line) {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
  return (std::rotl(fingerprint, 23) ^ std::hash<std::string_view>{}(line)) * odd;
}

}  // namespace

Result<LiveMemory> LiveMemory::open(const ProcDir& proc, std::string directory) {
  Result<Fd> maps = proc.open_file(directory + "maps");
  if (!maps) return std::unexpected(maps.error());
  LiveMemory memory(proc, std::move(directory), std::move(*maps));
  Result<Fd> pagemap = proc.open_file(memory.directory_ + "pagemap");
  if (pagemap) memory.pagemap_ = std::move(*pagemap);
  return memory;
}

/// Calls `see(line)` for each line of the map.
template <class See>
Result<void> LiveMemory::read_lines(See see) const {
  if (::lseek(maps_.get(), 0, SEEK_SET) < 0) return fail(ErrorCode::Io, fmt::format("maps: {}", std::strerror(errno)));
  std::vector<char> buffer(1 << 16);
  std::size_t held = 0, all = 0;  // of a line that goes on, and of all of the text
  ssize_t n = 0;
  while ((n = ::read(maps_.get(), buffer.data() + held, buffer.size() - held)) != 0 && all < max_map_bytes) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    all += static_cast<std::size_t>(n);
    std::string_view text(buffer.data(), held + static_cast<std::size_t>(n));
    for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
      see(text.substr(0, end));
    held = text.size();
    std::memmove(buffer.data(), text.data(), held);
    if (held == buffer.size()) buffer.resize(2 * held);
  }
  const int error = n < 0 ? errno : 0;
  if (error == ESRCH || proc_->gone())
    return fail(ErrorCode::Vanished, fmt::format("pid {}: the process has ended", proc_->pid()));
  if (error != 0) return fail(ErrorCode::Io, fmt::format("/proc/{}/maps: {}", proc_->pid(), std::strerror(error)));
  if (held > 0) see(std::string_view(buffer.data(), held));
  return {};
}

Result<void> LiveMemory::read_map(Facts& facts) {
  for (int attempt = 0; attempt < torn_tries; ++attempt) {
    MapsParser parser;
    fingerprint_ = 0;
    const auto read = read_lines([&](std::string_view line) {
      parser.add(line);
      fingerprint_ = fingerprint_with(fingerprint_, line);
    });
    if (!read) return read;
    MapsText map = parser.take();
    // Only maps shows this page of the kernel's half; smaps, pagemap and VmSize do not count it.
    std::erase_if(map.mappings, [](const Mapping& mapping) { return mapping.path == "[vsyscall]"; });
    const bool good = map.ordered && map.notes.empty();
    facts.mappings = std::move(map.mappings);
    if (good) return {};
    if (attempt + 1 == torn_tries) facts.notes.insert(facts.notes.end(), map.notes.begin(), map.notes.end());
  }
  return {};
}

bool LiveMemory::map_unchanged() const {
  std::uint64_t fingerprint = 0;
  const auto read = read_lines([&](std::string_view line) { fingerprint = fingerprint_with(fingerprint, line); });
  return read && fingerprint == fingerprint_;
}

void LiveMemory::find_hugetlb(const KernelCounters& counters, Facts& facts) {
  hugetlb_.assign(facts.mappings.size(), false);
  if (counters.hugetlb == Bytes{0}) return;
  for (std::size_t i = 0; i < facts.mappings.size(); ++i) {
    const Mapping& mapping = facts.mappings[i];
    if (!may_be_hugetlb(mapping, facts)) continue;
    auto size = query_page_size(maps_.get(), mapping.range.begin);
    if (!size) {
      if (!smaps_read_ && !read_smaps(facts)) return;
      if (mapping.smaps && mapping.smaps->kernel_page_size) size = *mapping.smaps->kernel_page_size;
    }
    hugetlb_[i] = size && *size > facts.target.page_size;
  }
}

Result<void> LiveMemory::read_smaps(Facts& facts) {
  const Result<Fd> fd = proc_->open_file(directory_ + "smaps");
  if (!fd) return std::unexpected(fd.error());
  SmapsParser parser;
  std::string buffer(1 << 16, '\0');
  for (ssize_t n = 0; (n = ::read(fd->get(), buffer.data(), buffer.size())) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::Vanished, fmt::format("/proc/{}/smaps: {}", proc_->pid(), std::strerror(errno)));
    parser.feed(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
  }
  const std::vector<SmapsEntry> entries = parser.finish();
  auto entry = entries.begin();
  std::size_t missing = 0;
  for (Mapping& mapping : facts.mappings) {
    while (entry != entries.end() && entry->range.begin < mapping.range.begin) ++entry;
    const bool same = entry != entries.end() && entry->range == mapping.range;
    if (same) mapping.smaps = entry->facts;
    missing += !same;
  }
  if (missing > 0)
    facts.notes.push_back(
        {"smaps_changed",
         fmt::format("{} mappings changed before smaps was read: their smaps columns are unknown", missing)});
  smaps_read_ = true;
  return {};
}

std::vector<PageWalkMapping> LiveMemory::plan_walk(bool bounded_by_smaps, Facts& facts) const {
  std::vector<PageWalkMapping> plan;
  plan.reserve(facts.mappings.size());
  for (std::size_t i = 0; i < facts.mappings.size(); ++i) {
    Mapping& mapping = facts.mappings[i];
    PageWalkMapping item = PageWalkMapping::over(mapping.range);
    item.shared = mapping.shared || made_by_kernel(mapping);
    item.anonymous = anonymous(mapping);
    item.hugetlb = hugetlb_[i];
    if (bounded_by_smaps && mapping.smaps) {
      const bool countable = (item.anonymous || mapping.shared) && mapping.range.size() > countable_bytes;
      item.skip = without_pages(*mapping.smaps) || countable;
      if (countable) mapping.counted = std::make_shared<PageCounts>(counts_from(*mapping.smaps, item.anonymous));
    }
    plan.push_back(item);
  }
  return plan;
}

Result<void> LiveMemory::settle_zero_pages(const std::map<std::size_t, std::uint64_t>& maybe_zero_bytes,
                                           const CollectOptions& options, Facts& facts) {
  if (maybe_zero_bytes.empty()) return {};
  if (!smaps_read_ && options.features.smaps)
    if (auto read = read_smaps(facts); !read && read.error().code == ErrorCode::Vanished) return read;
  if (!smaps_read_)
    facts.notes.push_back({"zero_pages_counted",
                           "this kernel does not tell the shared zero page apart: pages that were only read "
                           "may be counted in the working set although they take no memory"});
  for (const auto& [index, bytes] : maybe_zero_bytes) {
    Mapping& mapping = facts.mappings[index];
    if (!mapping.smaps || !mapping.smaps->rss) continue;
    PageCounts counts = facts.pages.count(mapping.range);
    const std::uint64_t in_ram = counts.in_ram(), rss = *mapping.smaps->rss;
    std::uint64_t zero = std::min(in_ram > rss ? in_ram - rss : 0, bytes);
    if (zero == 0) continue;
    for (std::uint64_t* part : {&counts.anonymous_shared, &counts.file_shared}) {
      const std::uint64_t taken = std::min(*part, zero);
      *part -= taken;
      zero -= taken;
    }
    mapping.counted = std::make_shared<PageCounts>(counts);
  }
  return {};
}

Result<void> LiveMemory::read_pages(const CollectOptions& options, const KernelCounters& counters, Facts& facts) {
  StepTimer timer(options.trace);
  find_hugetlb(counters, facts);
  const PagemapScan scan(pagemap_.get(), facts.target.page_size);
  const PageWalkOptions walk{
      .pagemap_fd = pagemap_.get(),
      .page_size = facts.target.page_size,
      .use_scan = pagemap_.valid() && options.features.pagemap_scan && scan.available(),
      .sharing = options.sharing,
      .swap_possible = swap_in_use(),
      .zero_page_frame = options.features.page_frames ? zero_page_frame(facts.target.page_size) : 0,
      .resident_bytes = counters.rss.value_or(0),
      .threads = thread_count(options, counters)};
  const bool bounded_by_smaps = !walk.use_scan && span_of(facts.mappings) > unbounded_walk_bytes;
  const bool locked = counters.locked != Bytes{0};
  const bool swap = options.swap && walk.swap_possible;
  if (options.features.smaps && (options.smaps || locked || swap || bounded_by_smaps) && !smaps_read_) {
    if (auto read = read_smaps(facts); !read && read.error().code == ErrorCode::Vanished) return read;
    timer.step("smaps");
  }
  facts.locked_known = !locked || smaps_read_;
  facts.shared_swap_unknown = walk.swap_possible && !smaps_read_;
  if (!pagemap_.valid()) {
    facts.notes.push_back({"pages_unknown", "/proc/PID/pagemap may not be read here: the working set is unknown"});
    return {};
  }
  PageWalkResult pages = walk_pages(plan_walk(bounded_by_smaps, facts), walk);
  timer.step(fmt::format("pagemap ({} runs, {} threads, PAGEMAP_SCAN {})", pages.pages.runs().size(), walk.threads,
                         walk.use_scan ? "used" : "not used"));
  if (pages.address_space_gone || proc_->gone())
    return fail(ErrorCode::Vanished, fmt::format("pid {}: the process has ended", proc_->pid()));
  facts.pages_known = pages.error == 0;
  if (pages.error != 0)
    facts.notes.push_back(
        {"pages_unknown", fmt::format("pagemap: {}: the working set is unknown", std::strerror(pages.error))});
  facts.pages = std::move(pages.pages);
  facts.sharing_known = walk.sharing || !walk.use_scan;
  return settle_zero_pages(pages.maybe_zero_bytes, options, facts);
}

}  // namespace vmscan
