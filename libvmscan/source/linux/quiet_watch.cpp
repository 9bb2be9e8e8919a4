#include "libvmscan/source/linux/quiet_watch.h"

#include <fmt/format.h>

#include "libvmscan/source/linux/text/proc_text.h"

namespace vmscan {
namespace {

constexpr std::uint64_t most_threads = 8;

}  // namespace

QuietWatch::QuietWatch(const ProcDir& proc, std::uint64_t threads) : proc_(&proc) {
  if (threads <= most_threads) before_ = read();
}

bool QuietWatch::nobody_ran() const {
  if (!before_) return false;
  const auto now = read();
  return now && *before_ == *now;
}

std::optional<QuietWatch::Turns> QuietWatch::read() const {
  const auto threads = proc_->list("task");
  if (!threads || threads->empty() || threads->size() > most_threads) return std::nullopt;
  Turns turns;
  for (const std::string& thread : *threads) {
    const auto schedule = proc_->read(fmt::format("task/{}/schedstat", thread));
    const auto stat = parse_stat(proc_->read(fmt::format("task/{}/stat", thread)).value_or(""));
    if (!schedule || schedule->empty() || !stat || stat->state == 'R') return std::nullopt;
    turns.emplace(thread, *schedule);
  }
  return turns;
}

}  // namespace vmscan
