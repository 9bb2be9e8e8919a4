// The small text files of /proc/PID: status, stat, limits, cgroup, auxv, task/TID/syscall, mountinfo (proc(5)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libvmscan/model/target.h"

namespace vmscan {

/// Unescapes what status and stat escape in a name: \n and backslash.
struct StatusText {
  std::string name;
  char state = '?';
  std::optional<std::uint32_t> parent_pid;
  std::optional<std::uint32_t> effective_uid;
  std::vector<std::uint32_t> namespace_pids;  // NSpid: from the reader's namespace inwards
  std::optional<std::uint64_t> threads;
  KernelCounters counters;  // bytes; unknown where a line is missing (a kernel thread has none)
  Bytes data, stack;        // VmData, VmStk
};
StatusText parse_status(std::string_view text);

struct StatText {
  char state = '?';
  std::uint64_t flags = 0;             // PF_*
  std::uint64_t start_time_ticks = 0;  // since boot, in clock ticks
  std::uint64_t start_code = 0;        // 0 without the right to know; another one after an exec
  std::uint64_t start_brk = 0;         // 0 without the right to know
  Range arguments;                     // where they lie in its memory; empty without the right to know
};
/// The name in parentheses may hold anything: fields are counted from the last ')'.
std::optional<StatText> parse_stat(std::string_view text);

/// One soft limit of /proc/PID/limits by its title, such as "Max address space".
Limit parse_limit(std::string_view text, std::string_view title);

/// Path of the control group that counts memory: of the v1 "memory" controller or of v2.
struct CgroupPath {
  bool v2 = false;
  std::string path;
};
std::vector<CgroupPath> parse_cgroup(std::string_view text);

/// The value of one entry of auxv (elf.h AT_*), for a target of 32 or 64 bits.
std::optional<std::uint64_t> auxv_value(std::span<const std::byte> auxv, unsigned pointer_bits, std::uint64_t type);
/// The word size for which auxv makes sense: its pairs end in AT_NULL and hold AT_PAGESZ with a power of two.
std::optional<unsigned> auxv_pointer_bits(std::span<const std::byte> auxv);

/// The stack pointer in task/TID/syscall; nothing for "running" or a thread in no system call it can show.
std::optional<Address> parse_syscall_stack_pointer(std::string_view text);

/// Devices of the file systems in mountinfo whose files live in RAM: tmpfs, ramfs, hugetlbfs, devtmpfs.
std::set<std::pair<std::uint32_t, std::uint32_t>> parse_memory_devices(std::string_view mountinfo);

/// What mountinfo says of the file systems that ask nobody but this machine's disks and memory.
struct Mounts {
  std::set<std::uint64_t> local_ids;  // of mounts
  std::set<std::pair<std::uint32_t, std::uint32_t>> local_devices;
  bool all_local = false;
};
Mounts parse_mounts(std::string_view mountinfo);

}  // namespace vmscan
