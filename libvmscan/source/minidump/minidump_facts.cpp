#include "libvmscan/source/minidump/minidump_facts.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "libvmscan/source/linux/text/proc_text.h"

namespace vmscan {
namespace {

constexpr std::array<std::pair<std::uint32_t, std::string_view>, 10> exception_names{{
    {0x80000003, "breakpoint"},
    {0xc0000005, "access violation"},
    {0xc0000006, "in-page error"},
    {0xc000001d, "illegal instruction"},
    {0xc0000094, "integer division by zero"},
    {0xc00000fd, "stack overflow"},
    {0xc0000374, "heap corruption"},
    {0xc0000409, "fail fast"},
    {0xe06d7363, "C++ exception"},
    {0xe0000008, "out of memory"},
}};
constexpr std::uint32_t dump_requested = 0xffffffff;  // Breakpad's number where nothing had happened

std::string exception_text(const MinidumpFile& dump) {
  const DumpedException& exception = *dump.exception;
  if (exception.code == dump_requested) return fmt::format("dumped on request of thread {}", exception.thread);
  if (dump.target.system == "linux")
    return fmt::format("ended by signal {} in thread {} at address {:#x}", exception.code, exception.thread,
                       exception.address);
  std::string name;
  for (const auto& [code, known] : exception_names)
    if (code == exception.code) name = fmt::format(" ({})", known);
  return fmt::format("exception {:#x}{} in thread {} at address {:#x}", exception.code, name, exception.thread,
                     exception.address);
}

/// Behind the last separator of either system.
std::string file_name(std::string_view path) {
  const std::size_t at = path.find_last_of("/\\");
  return std::string(at == std::string_view::npos ? path : path.substr(at + 1));
}

/// The first module is the program.
void name_target(const MinidumpFile& dump, Target& target) {
  const std::string program = dump.modules.empty() ? "" : dump.modules.front().path;
  const std::vector<std::string>& arguments = dump.linux_arguments;
  target.executable = program;
  if (!arguments.empty()) target.arguments.assign(arguments.begin() + 1, arguments.end());
  if (target.name.empty() && !arguments.empty()) target.name = file_name(arguments.front());
  if (target.name.empty()) target.name = file_name(program);
}

void add_threads(const MinidumpFile& dump, Facts& facts) {
  for (const DumpedThread& each : dump.threads) {
    facts.threads.push_back(each.thread);
    if (facts.threads.back().name.empty() && each.thread.id == facts.target.pid && dump.target.system == "linux")
      facts.threads.back().name = facts.target.name;
  }
}

}  // namespace

Facts facts_of_minidump(const MinidumpFile& dump, const MemoryReader& memory, const CollectOptions& options) {
  Facts facts;
  facts.target = dump.target;
  facts.captured_at_unix_ms = dump.written_at_unix_ms;
  facts.kernel = dump.counters;
  facts.notes = dump.notes;
  name_target(dump, facts.target);
  if (const auto page = auxv_value(dump.linux_auxv, facts.target.pointer_bits.value_or(64), 6);  // AT_PAGESZ
      page && *page >= 4096 && *page <= (1U << 20) && (*page & (*page - 1)) == 0)
    facts.target.page_size = *page;
  add_threads(dump, facts);
  if (dump.exception) facts.notes.push_back({"minidump_exception", exception_text(dump)});
  facts.notes.push_back({"minidump_usage",
                         "a minidump has no page tables: Committed and Private follow from states and protections, "
                         "and what was in RAM is unknown"});
  const bool maps = dump.target.system != "windows" && add_linux_facts(dump, memory, options, facts);
  if (!maps) add_allocations(dump, memory, facts);
  return facts;
}

}  // namespace vmscan
