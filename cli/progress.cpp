#include "cli/progress.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/platform/system.h"
#include "formats/views/table.h"

namespace vmscan::cli {

Progress::Progress(bool wanted, std::uint64_t all_bytes)
    : wanted_(wanted && stderr_is_terminal()), all_bytes_(all_bytes), next_(Clock::now() + std::chrono::seconds(1)) {}

void Progress::show(std::uint64_t bytes, std::string_view more) {
  if (!wanted_) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(200);
  const auto mib = [](std::uint64_t size) { return formats::format_count(size >> 20); };
  fmt::print(stderr, "\r\x1b[K{} of {} MiB searched{}", mib(bytes), mib(all_bytes_), more);
  std::fflush(stderr);
  shown_ = true;
}

void Progress::clear() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
  shown_ = false;
}

}  // namespace vmscan::cli
