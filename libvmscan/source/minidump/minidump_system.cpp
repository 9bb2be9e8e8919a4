// SystemInfo, MiscInfo, ProcessVmCounters, and the files of /proc that Linux dumps hold.
#include <fmt/format.h>

#include <array>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/source/linux/text/proc_text.h"
#include "libvmscan/source/minidump/minidump_parts.h"

namespace vmscan {
namespace {

struct Architecture {
  std::uint64_t number;  // PROCESSOR_ARCHITECTURE_*
  std::string_view machine;
  unsigned pointer_bits;
};
// 0x8003 is what Breakpad wrote for 64-bit Arm before Windows had a number for it.
constexpr std::array<Architecture, 5> architectures{
    {{0, "i386", 32}, {5, "arm", 32}, {9, "x86_64", 64}, {12, "aarch64", 64}, {0x8003, "aarch64", 64}}};

/// VER_PLATFORM_WIN32_NT, and Breakpad's numbers for other systems. Android is a Linux, too.
std::string_view system_name(std::uint64_t platform) {
  switch (platform) {
    case 1:
    case 2:
      return "windows";
    case 0x8101:
      return "macos";
    case 0x8102:
      return "ios";
    case 0x8201:
    case 0x8203:
      return "linux";
    default:
      return "";
  }
}

/// "Linux 6.1.0-18-amd64 #1 SMP …" as uname prints it: the release; without it the version in numbers.
std::string kernel_release(std::string_view description, std::uint64_t major, std::uint64_t minor,
                           std::uint64_t build) {
  constexpr std::string_view prefix = "Linux ";
  if (description.starts_with(prefix)) {
    description.remove_prefix(prefix.size());
    return std::string(description.substr(0, description.find(' ')));
  }
  return fmt::format("{}.{}.{}", major, minor, build);
}

constexpr std::uint64_t longest_maps = 64 << 20, longest_status = 64 << 10, longest_arguments = 1 << 20;

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::uint64_t read_system_info(DumpReading& reading, const Stream& stream) {
  const auto bytes = stream_bytes(reading.file, stream, 56);
  const auto architecture = number_at(bytes, 0, 2), platform = number_at(bytes, 20, 4);
  if (!architecture || !platform) return 1;
  Target& target = reading.dump.target;
  for (const Architecture& known : architectures)
    if (known.number == *architecture) {
      target.machine = known.machine;
      target.pointer_bits = known.pointer_bits;
    }
  target.system = system_name(*platform);
  const auto description_at = number_at(bytes, 24, 4);
  const auto description =
      description_at && *description_at != 0 ? reading.texts.read(*description_at) : std::optional<std::string>();
  target.kernel = kernel_release(description.value_or(""), *number_at(bytes, 8, 4), *number_at(bytes, 12, 4),
                                 *number_at(bytes, 16, 4));
  return 0;
}

std::uint64_t read_misc_info(DumpReading& reading, const Stream& stream) {
  const auto bytes = stream_bytes(reading.file, stream, 24);
  const auto flags = number_at(bytes, 4, 4), pid = number_at(bytes, 8, 4), started = number_at(bytes, 12, 4);
  if (!flags) return 1;
  constexpr std::uint64_t has_pid = 1, has_times = 2;
  if ((*flags & has_pid) != 0 && pid) reading.dump.target.pid = static_cast<std::uint32_t>(*pid);
  if ((*flags & has_times) != 0 && started && *started != 0)
    reading.dump.target.started_at_unix_ms = static_cast<std::int64_t>(*started) * 1000;
  const bool short_of_it = ((*flags & has_pid) != 0 && !pid) || ((*flags & has_times) != 0 && !started);
  return short_of_it ? 1 : 0;
}

std::uint64_t read_vm_counters(DumpReading& reading, const Stream& stream) {
  const auto bytes = stream_bytes(reading.file, stream, 24);
  const auto peak = number_at(bytes, 8, 8), now = number_at(bytes, 16, 8);
  if (!peak || !now) return 1;
  reading.dump.counters.peak_rss = *peak;
  reading.dump.counters.rss = *now;
  return 0;
}

std::uint64_t read_linux_status(DumpReading& reading, const Stream& stream) {
  const StatusText status = parse_status(text_of(stream_bytes(reading.file, stream, longest_status)));
  Target& target = reading.dump.target;
  target.name = status.name;
  target.parent_pid = status.parent_pid;
  target.user_id = status.effective_uid;
  if (status.namespace_pids.size() > 1) target.namespace_pids = status.namespace_pids;
  reading.dump.counters = status.counters;
  return status.name.empty();
}

std::uint64_t read_linux_arguments(DumpReading& reading, const Stream& stream) {
  const std::string text = text_of(stream_bytes(reading.file, stream, longest_arguments));
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    reading.dump.linux_arguments.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  return 0;
}

std::uint64_t read_linux_auxv(DumpReading& reading, const Stream& stream) {
  reading.dump.linux_auxv = stream_bytes(reading.file, stream, longest_status);
  return 0;
}

std::uint64_t read_linux_maps(DumpReading& reading, const Stream& stream) {
  reading.dump.linux_maps = text_of(stream_bytes(reading.file, stream, longest_maps));
  reading.dump.linux_maps_whole = stream.size == stream.told && stream.size <= longest_maps;
  return stream.size > longest_maps;
}

}  // namespace vmscan
