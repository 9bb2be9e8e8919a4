#include "libvmscan/source/linux/live_process.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <span>

#include "libvmscan/base/run_on_threads.h"
#include "libvmscan/base/step_timer.h"
#include "libvmscan/source/linux/live_memory.h"
#include "libvmscan/source/linux/quiet_watch.h"
#include "libvmscan/source/linux/text/address_space.h"
#include "libvmscan/source/linux/text/maps_text.h"
#include "libvmscan/source/process.h"

namespace vmscan {
namespace {

constexpr int exec_tries = 5;
constexpr std::size_t map_worth_watching = 2000;  // a shorter map is read again at once
constexpr std::uint64_t at_pagesz = 6, at_minsigstksz = 51;

std::int64_t now_unix_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

Bytes system_number(const char* path) {
  const std::string text = read_system_file(path);
  std::string_view rest = text;
  std::uint64_t value = 0;
  return take_decimal(rest, value) ? Bytes{value} : Bytes{};
}

void collect_auxiliary(const ProcDir& proc, const std::string& memory, Facts& facts) {
  const auto auxv = proc.read(memory + "auxv");
  if (!auxv) return;
  const std::span bytes = std::as_bytes(std::span(*auxv));
  Target& target = facts.target;
  target.pointer_bits = auxv_pointer_bits(bytes);
  if (!target.pointer_bits) return;
  if (const auto size = auxv_value(bytes, *target.pointer_bits, at_pagesz)) target.page_size = *size;
  if (const auto size = auxv_value(bytes, *target.pointer_bits, at_minsigstksz)) facts.least_signal_stack = *size;
}

void collect_system(const ProcDir& proc, MappedFiles& files, Facts& facts) {
  const std::string mounts = proc.read("mountinfo").value_or(std::string{});
  facts.memory_devices = parse_memory_devices(mounts);
  files.take_mounts(mounts);
  files.take_shared_memory();
  facts.lowest_mappable = system_number("/proc/sys/vm/mmap_min_addr");
  // stack_guard_gap= is a boot parameter that no file shows; 256 pages unless it was given (mm/mmap.c).
  facts.stack_guard_gap = 256 * facts.target.page_size;
}

Note denied_note(const Facts& facts) {
  const uid_t own = ::geteuid();
  const auto owner = facts.target.user_id;
  std::string advice = fmt::format("run as user {} or as root (sudo), or with CAP_SYS_PTRACE", owner.value_or(0));
  if (owner == 0U) advice = "run as root (sudo), or with CAP_SYS_PTRACE";
  if (owner == own)
    advice =
        "it has made itself unreadable to its own user (prctl PR_SET_DUMPABLE, or capabilities): run as root (sudo)";
  if (own == 0) advice = "even root may not here (a security module, or a container without CAP_SYS_PTRACE)";
  return {"map_denied", fmt::format("its memory map may not be read: {}; only the kernel's totals are known", advice)};
}

}  // namespace

Result<Facts> LiveProcess::collect(const CollectOptions& options) {
  for (int attempt = 0;; ++attempt) {
    Facts facts;
    const Result<Outcome> outcome = collect_once(options, facts);
    if (!outcome) return std::unexpected(outcome.error());
    if (*outcome == Outcome::Done) return facts;
    if (attempt + 1 == exec_tries && facts.mappings.empty())  // its memory is gone before it is a zombie
      return fail(ErrorCode::Vanished, fmt::format("pid {}: the process is ending", proc_.pid()));
    if (attempt + 1 == exec_tries) {
      facts.consistency = Consistency::Racy;
      facts.contents_match = false;
      facts.notes.push_back({"exec_meanwhile", "the process kept executing other programs while it was read"});
      return facts;
    }
  }
}

Result<LiveProcess::Outcome> LiveProcess::collect_once(const CollectOptions& options, Facts& facts) {
  StepTimer timer(options.trace);
  space_.reset();
  const auto stat_text = proc_.read("stat");
  if (!stat_text) return std::unexpected(stat_text.error());
  const auto status_text = proc_.read("status");
  if (!status_text) return std::unexpected(status_text.error());
  const auto stat = parse_stat(*stat_text);
  if (!stat) return fail(ErrorCode::Malformed, fmt::format("/proc/{}/stat: not understood", proc_.pid()));
  const StatusText status = parse_status(*status_text);

  facts.captured_at_unix_ms = now_unix_ms();
  facts.all_pages = options.all_pages;
  memory_.read_all_pages(options.all_pages);
  collect_target(proc_, memory_.files(), *stat, status, facts);
  timer.step("target");
  Outcome outcome = Outcome::Done;
  if (facts.target.kind == TargetKind::Process) {
    const auto memory = collect_memory(options, *stat, status, facts);
    if (!memory) return memory;
    outcome = *memory;
  } else {
    facts.pages_known = facts.locked_known = true;
    facts.consistency = Consistency::Stable;
    const bool zombie = facts.target.kind == TargetKind::Zombie;
    facts.notes.push_back(
        zombie ? Note{"zombie", "it has ended and only waits for its parent to take note: its memory is given back"}
               : Note{"kernel_thread", "a kernel thread: it has no address space of its own"});
  }
  collect_limits(proc_, status, facts);
  return outcome;
}

Result<LiveProcess::Outcome> LiveProcess::collect_memory(const CollectOptions& options, const StatText& stat,
                                                         const StatusText& status, Facts& facts) {
  StepTimer timer(options.trace);
  const std::string directory = memory_directory(proc_, stat);
  facts.kernel =
      directory.empty() ? status.counters : parse_status(proc_.read(directory + "status").value_or("")).counters;
  Result<LiveMemory> memory = LiveMemory::open(proc_, directory);
  if (!memory && memory.error().code != ErrorCode::AccessDenied) return std::unexpected(memory.error());
  if (!memory) {
    facts.mappings_known = false;
    facts.notes.push_back(denied_note(facts));
    return Outcome::Done;
  }
  collect_auxiliary(proc_, directory, facts);
  collect_system(proc_, memory_.files(), facts);
  const QuietWatch watch(proc_, status.threads.value_or(0));
  if (auto read = memory->read_map(facts); !read) return std::unexpected(read.error());
  settle_deleted_names(memory_.files(), facts.mappings);
  timer.step(fmt::format("maps ({} mappings)", facts.mappings.size()));
  // Beside the pages: opening a hundred libraries takes as long as reading their pages.
  auto beside = std::async(beside_if_possible, [&] {
    return std::pair(find_threads(proc_, !facts.target.namespace_pids.empty()),
                     find_images(memory_.files(), options.sections, facts.mappings));
  });
  if (auto read = memory->read_pages(options, facts.kernel, facts); !read) {
    if (read.error().code != ErrorCode::Vanished || proc_.gone()) return std::unexpected(read.error());
    return Outcome::Again;
  }
  timer.step("pages");
  const auto counted = [](const Mapping& each) { return each.counted != nullptr; };
  if (facts.pages_known && (facts.all_pages || std::ranges::none_of(facts.mappings, counted)))
    memory_.take_note(facts.pages);
  if (facts.all_pages) memory_.take_note(facts.mappings);
  facts.address_space = linux_address_space(facts.target, facts.mappings);
  const bool long_map = facts.mappings.size() >= map_worth_watching;
  const bool unchanged = (long_map && watch.nobody_ran()) || memory->map_unchanged();
  facts.consistency = unchanged ? Consistency::Stable : Consistency::Racy;
  timer.step("unchanged?");
  const auto now = parse_stat(proc_.read("stat").value_or(""));
  if (!now) return fail(ErrorCode::Vanished, fmt::format("pid {}: the process has ended", proc_.pid()));
  if (now->start_code != stat.start_code || facts.mappings.empty()) return Outcome::Again;
  auto [threads, images] = beside.get();
  facts.threads = std::move(threads.threads);
  facts.stack_pointers_denied = threads.denied;
  facts.images = std::move(images.images);
  facts.notes.insert(facts.notes.end(), images.notes.begin(), images.notes.end());
  timer.step(fmt::format("{} threads, {} images", facts.threads.size(), facts.images.size()));
  space_ = std::move(*memory);
  return Outcome::Done;
}

void LiveProcess::complete(const CollectOptions& options, Facts& facts) {
  if (!space_) return;
  StepTimer timer(options.trace);
  const std::vector<Note> unanswered = memory_.files().notes();
  facts.notes.insert(facts.notes.end(), unanswered.begin(), unanswered.end());
  space_->find_huge_pages(options, facts);
  space_.reset();
  timer.step(fmt::format("{} huge pages", facts.huge_pages ? facts.huge_pages->pages.size() : 0));
}

Result<std::unique_ptr<Source>> open_process(std::uint32_t pid) {
  Result<ProcDir> proc = ProcDir::open(pid);
  if (!proc) return std::unexpected(proc.error());
  return std::make_unique<LiveProcess>(std::move(*proc));
}

std::uint32_t current_pid() { return static_cast<std::uint32_t>(::getpid()); }

}  // namespace vmscan
