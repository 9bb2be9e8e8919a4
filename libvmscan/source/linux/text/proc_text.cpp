#include "libvmscan/source/linux/text/proc_text.h"

#include <algorithm>
#include <array>
#include <limits>

#include "libvmscan/base/little_endian.h"
#include "libvmscan/source/linux/text/maps_text.h"

namespace vmscan {
namespace {

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  return text.substr(begin, end - begin + 1);
}

std::string_view take_word(std::string_view& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  text.remove_prefix(begin == std::string_view::npos ? text.size() : begin);
  const std::string_view word = text.substr(0, text.find_first_of(" \t\n"));
  text.remove_prefix(word.size());
  return word;
}

std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  if (!take_decimal(text, value)) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> decimal32(std::string_view text) {
  const auto value = decimal(text);
  if (!value || *value > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

Bytes kibibytes(std::string_view text) {
  const auto kib = decimal(text);
  return kib && *kib <= Bytes::max_value / 1024 ? Bytes{*kib * 1024} : Bytes{};
}

std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'n' || text[i + 1] == '\\'))
      out += text[++i] == 'n' ? '\n' : '\\';
    else
      out += text[i];
  }
  return out;
}

constexpr std::array<KernelCounterName, 12> status_counters{{
    {"VmSize", &KernelCounters::vm_size},
    {"VmRSS", &KernelCounters::rss},
    {"RssAnon", &KernelCounters::rss_anon},
    {"RssFile", &KernelCounters::rss_file},
    {"RssShmem", &KernelCounters::rss_shmem},
    {"HugetlbPages", &KernelCounters::hugetlb},
    {"VmSwap", &KernelCounters::swap},
    {"VmLck", &KernelCounters::locked},
    {"VmPin", &KernelCounters::pinned},
    {"VmPTE", &KernelCounters::page_tables},
    {"VmHWM", &KernelCounters::peak_rss},
    {"VmPeak", &KernelCounters::peak_vm_size},
}};

void take_status_line(std::string_view key, std::string_view value, StatusText& status) {
  if (key == "Name") status.name = unescape(value);
  if (key == "State" && !value.empty()) status.state = value.front();
  if (key == "PPid") status.parent_pid = decimal32(value);
  if (key == "Uid") status.effective_uid = (take_word(value), decimal32(take_word(value)));
  if (key == "Threads") status.threads = decimal(value);
  if (key == "NSpid")
    for (std::string_view word = take_word(value); !word.empty(); word = take_word(value))
      if (const auto pid = decimal32(word)) status.namespace_pids.push_back(*pid);
  if (key == "VmData") status.data = kibibytes(value);
  if (key == "VmStk") status.stack = kibibytes(value);
  for (const KernelCounterName& counter : status_counters)
    if (counter.name == key) status.counters.*counter.member = kibibytes(value);
}

constexpr std::uint64_t at_null = 0, at_pagesz = 6;

}  // namespace

StatusText parse_status(std::string_view text) {
  StatusText status;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) take_status_line(line.substr(0, colon), trim(line.substr(colon + 1)), status);
  }
  return status;
}

std::optional<StatText> parse_stat(std::string_view text) {
  const std::size_t end = text.rfind(')');
  if (end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(end + 1);
  StatText stat;
  const std::string_view state = take_word(text);  // field 3
  if (state.empty()) return std::nullopt;
  stat.state = state.front();
  for (int field = 4; field <= 49; ++field) {
    const auto value = decimal(take_word(text));
    if (field == 9) stat.flags = value.value_or(0);
    if (field == 22 && !value) return std::nullopt;
    if (field == 22) stat.start_time_ticks = *value;
    if (field == 26) stat.start_code = value.value_or(0);
    if (field == 47) stat.start_brk = value.value_or(0);
    if (field == 48) stat.arguments.begin = value.value_or(0);
    if (field == 49) stat.arguments.end = value.value_or(0);
  }
  return stat;
}

Limit parse_limit(std::string_view text, std::string_view title) {
  Limit limit;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (!line.starts_with(title)) continue;
    line.remove_prefix(title.size());
    const std::string_view soft = take_word(line);
    limit.unlimited = soft == "unlimited";
    if (const auto value = decimal(soft)) limit.limit = *value;
  }
  return limit;
}

std::vector<CgroupPath> parse_cgroup(std::string_view text) {
  std::vector<CgroupPath> paths;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (controllers.empty()) paths.push_back({true, path});
    const std::string listed = "," + std::string(controllers) + ",";
    if (listed.find(",memory,") != std::string::npos) paths.insert(paths.begin(), CgroupPath{false, path});
  }
  return paths;
}

std::optional<std::uint64_t> auxv_value(std::span<const std::byte> auxv, unsigned pointer_bits, std::uint64_t type) {
  const std::size_t word = pointer_bits / 8;
  for (std::size_t at = 0; at + 2 * word <= auxv.size(); at += 2 * word) {
    const auto key = number_at(auxv, at, word);
    if (key == type) return number_at(auxv, at + word, word);
    if (key == at_null) break;
  }
  return std::nullopt;
}

std::optional<unsigned> auxv_pointer_bits(std::span<const std::byte> auxv) {
  for (const unsigned bits : {64U, 32U}) {
    const auto page_size = auxv_value(auxv, bits, at_pagesz);
    const bool plausible =
        page_size && *page_size >= 4096 && *page_size <= (1U << 20) && (*page_size & (*page_size - 1)) == 0;
    if (plausible) return bits;
  }
  return std::nullopt;
}

std::optional<Address> parse_syscall_stack_pointer(std::string_view text) {
  // "NR 0xARG…×6 0xSP 0xPC", or "-1 0xSP 0xPC" for a thread that is blocked, but not in a system call.
  std::vector<std::string_view> words;
  for (std::string_view word = take_word(text); !word.empty() && words.size() < 16; word = take_word(text))
    words.push_back(word);
  if (words.size() != 3 && words.size() != 9) return std::nullopt;
  std::string_view word = words[words.size() - 2];
  std::uint64_t value = 0;
  if (!word.starts_with("0x")) return std::nullopt;
  word.remove_prefix(2);
  if (!take_hex(word, value) || value == 0) return std::nullopt;
  return value;
}

namespace {

struct Mount {
  std::uint64_t id = 0;
  std::pair<std::uint32_t, std::uint32_t> device;
  std::string_view type;
};

/// "36 35 98:0 /from /to rw,noatime master:1 - ext4 /dev/sda1 rw": id, parent, device … - type …
std::optional<Mount> parse_mount(std::string_view line) {
  Mount mount;
  std::string_view id = take_word(line);
  take_word(line);
  std::string_view device = take_word(line);
  const std::size_t separator = line.find(" - ");
  std::uint64_t major = 0, minor = 0;
  if (separator == std::string_view::npos || !take_decimal(id, mount.id) || !take_decimal(device, major) ||
      !device.starts_with(':'))
    return std::nullopt;
  device.remove_prefix(1);
  if (!take_decimal(device, minor)) return std::nullopt;
  mount.device = {static_cast<std::uint32_t>(major), static_cast<std::uint32_t>(minor)};
  line.remove_prefix(separator + 3);
  mount.type = take_word(line);
  return mount;
}

constexpr std::array<std::string_view, 49> local_types{
    "bcachefs", "binder",  "binfmt_misc", "bpf",       "btrfs",     "cgroup",  "cgroup2", "configfs", "cramfs",
    "debugfs",  "devpts",  "devtmpfs",    "efivarfs",  "erofs",     "exfat",   "ext2",    "ext3",     "ext4",
    "f2fs",     "fusectl", "hfs",         "hfsplus",   "hugetlbfs", "iso9660", "jffs2",   "jfs",      "mqueue",
    "msdos",    "nilfs2",  "ntfs3",       "nsfs",      "overlay",   "proc",    "pstore",  "ramfs",    "reiserfs",
    "romfs",    "rootfs",  "securityfs",  "selinuxfs", "squashfs",  "sysfs",   "tmpfs",   "tracefs",  "ubifs",
    "udf",      "vfat",    "xfs",         "zfs"};

bool is_local(std::string_view type) { return std::ranges::find(local_types, type) != local_types.end(); }

}  // namespace

std::set<std::pair<std::uint32_t, std::uint32_t>> parse_memory_devices(std::string_view mountinfo) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> devices;
  while (!mountinfo.empty()) {
    const auto mount = parse_mount(take_line(mountinfo));
    if (!mount) continue;
    const std::string_view type = mount->type;
    if (type == "tmpfs" || type == "ramfs" || type == "hugetlbfs" || type == "devtmpfs") devices.insert(mount->device);
  }
  return devices;
}

Mounts parse_mounts(std::string_view mountinfo) {
  Mounts mounts;
  mounts.all_local = !mountinfo.empty();
  while (!mountinfo.empty()) {
    const auto mount = parse_mount(take_line(mountinfo));
    if (!mount || !is_local(mount->type)) {
      mounts.all_local = false;
      continue;
    }
    mounts.local_ids.insert(mount->id);
    mounts.local_devices.insert(mount->device);
  }
  return mounts;
}

}  // namespace vmscan
