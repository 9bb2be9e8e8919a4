#include "cli/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace vmscan::cli {

std::function<void(std::string_view)> make_trace(bool verbose) {
  if (!verbose) return {};
  auto logger = std::make_shared<spdlog::logger>("vmscan", std::make_shared<spdlog::sinks::stderr_sink_st>());
  logger->set_pattern("%n: %T.%e %v");
  return [logger](std::string_view line) { logger->info(line); };
}

}  // namespace vmscan::cli
