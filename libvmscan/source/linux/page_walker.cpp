#include "libvmscan/source/linux/page_walker.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <span>

#include "libvmscan/base/run_on_threads.h"
#include "libvmscan/source/linux/pagemap_scan.h"
#include "libvmscan/source/linux/text/pagemap_entry.h"

namespace vmscan {
namespace {

constexpr std::size_t window_pages = 2048;         // one read: 16 KiB of entries, which stay in a cache
constexpr std::size_t first_window_pages = 512;    // behind a hole: one page table
constexpr std::size_t presence_pages = 8192;       // one scan: the kernel holds the target's lock for as long
constexpr std::size_t large_pages = window_pages;  // mappings with more are walked on their own
constexpr std::size_t gap_pages = 256;             // holes between small mappings that one read goes over
constexpr std::size_t sparse_factor = 8;           // fewer than one page in eight in use: look for the next one
constexpr std::uint64_t min_task_pages = 1 << 16;  // 256 MiB
constexpr std::uint64_t max_tasks_per_mapping = 64;

/// A part of the walk that one thread does: the mappings first..last (one, when it is large), within `range`.
struct Task {
  Range range;
  std::size_t first = 0, last = 0;
  bool large = false;
  bool presence = false;  // it is enough to know which pages are in RAM
};

struct TaskResult {
  std::vector<PageRun> runs;
  std::vector<std::pair<std::size_t, std::uint64_t>> maybe_zero;
  bool gone = false;
  int error = 0;
};

class Walker {
 public:
  Walker(const std::vector<PageWalkMapping>& mappings, const PageWalkOptions& options)
      : mappings_(mappings),
        options_(options),
        scan_(options.pagemap_fd, options.page_size),
        entries_(std::make_unique_for_overwrite<std::uint64_t[]>(window_pages)) {}

  TaskResult run(const Task& task) {
    result_ = {};
    if (task.presence && run_presence(task)) return std::move(result_);
    result_ = {};
    if (task.large)
      run_large(task);
    else
      run_small(task);
    return std::move(result_);
  }

 private:
  bool failed() const { return result_.gone || result_.error != 0; }

  /// Reads the entries of `pages` pages from `begin` into entries_.
  bool read(Address begin, std::size_t pages) {
    auto* out = reinterpret_cast<char*>(entries_.get());
    std::size_t wanted = pages * sizeof(std::uint64_t);
    auto offset = static_cast<off_t>(begin / options_.page_size * sizeof(std::uint64_t));
    while (wanted > 0) {
      const ssize_t n = ::pread(options_.pagemap_fd, out, wanted, offset);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) result_.error = errno;
      if (n == 0) result_.gone = true;
      if (n <= 0) return false;
      out += n, offset += n, wanted -= static_cast<std::size_t>(n);
    }
    return true;
  }

  void run_small(const Task& task) {
    if (!read(task.range.begin, pages_in(task.range))) return;
    for (std::size_t index = task.first; index <= task.last; ++index) {
      const Range range = mappings_[index].range();
      if (!mappings_[index].skip) decode(index, range, (range.begin - task.range.begin) / options_.page_size);
    }
  }

  void run_large(const Task& task) {
    bool use_scan = options_.use_scan;
    bool look = use_scan;
    std::size_t window = use_scan ? first_window_pages : window_pages;
    for (Address at = task.range.begin; at < task.range.end && !failed();) {
      if (look) {
        std::array<scan::PageRegion, 1> hit{};
        const auto found = scan_.find({at, task.range.end}, scan::present | scan::swapped, 1, hit);
        if (found && found->regions == 0) return;
        if (found && hit[0].start >= at && hit[0].start < task.range.end) at = hit[0].start;
        use_scan = found.has_value();
        window = use_scan ? first_window_pages : window_pages;
      }
      const std::size_t pages = std::min<std::uint64_t>(window, (task.range.end - at) / options_.page_size);
      if (!read(at, pages)) return;
      const std::size_t used = decode(task.first, {at, at + pages * options_.page_size}, 0);
      at += pages * options_.page_size;
      look = use_scan && used * sparse_factor < pages;
      window = std::min(window * 2, window_pages);
    }
  }

  /// False: PAGEMAP_SCAN failed. It does not look at the pages themselves, of which pagemap tells whether they are
  /// shared. What is not in RAM may be a guard or in swap: pagemap knows.
  bool run_presence(const Task& task) {
    std::array<scan::PageRegion, 512> found{};
    for (Address at = task.range.begin; at < task.range.end && !failed();) {
      const auto step =
          scan_.find({at, task.range.end}, scan::present | scan::swapped, presence_pages, found, scan::zero_page);
      if (!step) return false;
      for (const scan::PageRegion& region : std::span(found).first(step->regions)) {
        if (region.categories & scan::present)
          result_.runs.push_back({{region.start, region.end}, page::present});
        else
          read_and_decode(task.first, {region.start, region.end});
      }
      at = step->next;
    }
    return true;
  }

  void read_and_decode(std::size_t index, Range range) {
    while (!range.empty()) {
      const std::size_t pages = std::min(window_pages, pages_in(range));
      if (!read(range.begin, pages)) return;
      const Range window{range.begin, range.begin + pages * options_.page_size};
      decode(index, window, 0);
      range.begin = window.end;
    }
  }

  std::size_t pages_in(Range range) const { return static_cast<std::size_t>(range.size() / options_.page_size); }

  /// Turns the entries from `first_entry` on into runs over `range`; returns the number of pages in use.
  std::size_t decode(std::size_t index, Range range, std::size_t first_entry) {
    const PageWalkMapping& mapping = mappings_[index];
    const pagemap::Context context{mapping.shared, mapping.anonymous, mapping.hugetlb, options_.swap_possible,
                                   options_.zero_page_frame};
    window_.clear();
    Range maybe_zero{range.end, range.begin};
    const std::size_t pages = pages_in(range);
    std::size_t used = 0;
    for (std::size_t i = 0; i < pages;) {
      const std::uint64_t entry = entries_[first_entry + i];
      const std::size_t run = run_length(entry, first_entry + i, first_entry + pages);
      if (const std::uint8_t condition = pagemap::condition(entry, context)) {
        const Range part{range.begin + i * options_.page_size, range.begin + (i + run) * options_.page_size};
        window_.push_back({part, condition});
        used += run;
        if (condition & pagemap::maybe_zero)
          maybe_zero = {std::min(maybe_zero.begin, part.begin), std::max(maybe_zero.end, part.end)};
      }
      i += run;
    }
    if (!maybe_zero.empty()) resolve_zero_pages(index, maybe_zero);
    result_.runs.insert(result_.runs.end(), window_.begin(), window_.end());
    return used;
  }

  /// How many entries from `at` on mean the same: absent ones, or present ones with equal flags.
  std::size_t run_length(std::uint64_t entry, std::size_t at, std::size_t end) const {
    constexpr int flag_shift = 55;
    const std::size_t begin = at++;
    if (entry == 0)
      while (at < end && entries_[at] == 0) ++at;
    else if (entry & pagemap::present)
      while (at < end && entries_[at] >> flag_shift == entry >> flag_shift &&
             is_zero_page(entries_[at]) == is_zero_page(entry))
        ++at;
    return at - begin;
  }

  bool is_zero_page(std::uint64_t entry) const {
    return options_.zero_page_frame != 0 && (entry & pagemap::frame) == options_.zero_page_frame;
  }

  /// Takes the zero page out of window_, where the kernel can tell it apart.
  void resolve_zero_pages(std::size_t index, Range range) {
    std::vector<Range> zeros;
    std::array<scan::PageRegion, 256> found{};
    bool known = options_.use_scan;
    for (Address at = range.begin; known && at < range.end;) {
      const auto step = scan_.find({at, range.end}, scan::zero_page, 0, found);
      known = step.has_value();
      if (!known) break;
      for (std::size_t i = 0; i < step->regions; ++i) zeros.push_back({found[i].start, found[i].end});
      at = step->next;
    }
    std::uint64_t unresolved = 0;
    std::vector<PageRun> kept;
    for (PageRun run : window_) {
      const bool doubtful = (run.condition & pagemap::maybe_zero) != 0;
      run.condition &= static_cast<std::uint8_t>(~pagemap::maybe_zero);
      if (doubtful && !known) unresolved += run.range.size();
      if (doubtful && known)
        append_without(run, zeros, kept);
      else
        kept.push_back(run);
    }
    window_ = std::move(kept);
    if (unresolved > 0) result_.maybe_zero.emplace_back(index, unresolved);
  }

  static void append_without(PageRun run, const std::vector<Range>& holes, std::vector<PageRun>& out) {
    auto hole = std::partition_point(holes.begin(), holes.end(), [&](Range h) { return h.end <= run.range.begin; });
    for (; hole != holes.end() && hole->begin < run.range.end; ++hole) {
      if (hole->begin > run.range.begin) out.push_back({{run.range.begin, hole->begin}, run.condition});
      run.range.begin = std::min(hole->end, run.range.end);
    }
    if (!run.range.empty()) out.push_back(run);
  }

  const std::vector<PageWalkMapping>& mappings_;
  const PageWalkOptions& options_;
  PagemapScan scan_;
  std::unique_ptr<std::uint64_t[]> entries_;
  TaskResult result_;
  std::vector<PageRun> window_;
};

bool presence_is_enough(const PageWalkMapping& mapping, const PageWalkOptions& options) {
  return !options.sharing && options.use_scan && mapping.anonymous && !mapping.hugetlb;
}

/// Splits a large mapping so that threads can share it, but an empty reservation of terabytes only where there is
/// enough in RAM to be worth it: each part costs at least one look.
void plan_large(const PageWalkMapping& mapping, std::size_t index, const PageWalkOptions& options,
                std::vector<Task>& tasks) {
  const Range range = mapping.range();
  const std::uint64_t pages = range.size() / options.page_size;
  const std::uint64_t parts = std::clamp<std::uint64_t>(options.resident_bytes / (min_task_pages * options.page_size),
                                                        1, max_tasks_per_mapping);
  const std::uint64_t step = std::max(min_task_pages, (pages / parts + 511) / 512 * 512) * options.page_size;
  for (Address at = range.begin; at < range.end;) {
    const Address end = range.end - at > step ? at + step : range.end;
    tasks.push_back({{at, end}, index, index, true, presence_is_enough(mapping, options)});
    at = end;
  }
}

std::vector<Task> plan(const std::vector<PageWalkMapping>& mappings, const PageWalkOptions& options) {
  const std::uint64_t page_size = options.page_size;
  std::vector<Task> tasks;
  bool open = false;  // whether the last task takes further small mappings
  for (std::size_t index = 0; index < mappings.size(); ++index) {
    const PageWalkMapping& mapping = mappings[index];
    if (mapping.skip) continue;
    const Range range = mapping.range();
    if (range.size() > large_pages * page_size) {
      plan_large(mapping, index, options, tasks);
      open = false;
      continue;
    }
    const bool presence = presence_is_enough(mapping, options);
    const bool near = open && tasks.back().presence == presence &&
                      range.begin - tasks.back().range.end <= gap_pages * page_size &&
                      range.end - tasks.back().range.begin <= window_pages * page_size;
    if (!near) tasks.push_back({range, index, index, false, presence});
    tasks.back().range.end = range.end;
    tasks.back().last = index;
    open = true;
  }
  return tasks;
}

}  // namespace

PageWalkResult walk_pages(const std::vector<PageWalkMapping>& mappings, const PageWalkOptions& options) {
  const std::vector<Task> tasks = plan(mappings, options);
  std::vector<TaskResult> results(tasks.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    Walker walker(mappings, options);
    for (std::size_t i = next++; i < tasks.size(); i = next++) results[i] = walker.run(tasks[i]);
  };
  run_on_threads(options.threads, work);
  PageWalkResult all;
  for (TaskResult& result : results) {
    for (const PageRun& run : result.runs) all.pages.append(run.range, run.condition);
    for (const auto& [index, bytes] : result.maybe_zero) all.maybe_zero_bytes[index] += bytes;
    all.address_space_gone |= result.gone;
    if (all.error == 0) all.error = result.error;
    result = {};
  }
  return all;
}

}  // namespace vmscan
