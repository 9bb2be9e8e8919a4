// Who was looked at, and what the system says of it beside its memory map.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libvmscan/base/bytes.h"
#include "libvmscan/base/range.h"

namespace vmscan {

enum class TargetKind : std::uint8_t { Process, KernelThread, Zombie, Core, Minidump };
constexpr std::array<std::string_view, 5> target_kind_names{"process", "kernel_thread", "zombie", "core", "minidump"};

struct Target {
  TargetKind kind = TargetKind::Process;
  std::optional<std::uint32_t> pid;
  std::vector<std::uint32_t> namespace_pids;  // from our pid namespace inwards; empty when there is only one
  std::optional<std::uint32_t> parent_pid;
  std::optional<std::uint32_t> user_id;
  std::string name;                      // as ps shows it
  std::string executable;                // path; empty when it may not be known
  std::vector<std::string> arguments;    // argv without argv[0]
  std::string system;                    // "linux", "windows"
  std::string machine;                   // "x86_64" …
  std::string kernel;                    // release of the kernel it ran on
  std::optional<unsigned> pointer_bits;  // 32 or 64
  std::uint64_t page_size = 4096;        // bytes
  std::optional<std::int64_t> started_at_unix_ms;
};

struct Thread {
  std::uint32_t id = 0;
  std::string name;
  std::optional<Address> stack_pointer;        // unknown for a running thread and without the right to read it
  std::optional<std::uint32_t> inner_id = {};  // as the process itself sees it, when that is another pid namespace
  std::optional<Address> control_block = {};   // the C library's structure for it, which also ends its static TLS
};

/// One resource with its limit. Bytes or a number of things, as the name says.
struct Limit {
  std::string name;  // "mappings", "address_space", "data", "stack", "locked", "pinned", "cgroup_memory"
  Bytes used;
  Bytes limit;  // unknown when unlimited
  bool unlimited = false;
};

/// The kernel's own totals, in bytes, from a single read beside the capture (proc(5), /proc/PID/status).
struct KernelCounters {
  Bytes vm_size;
  Bytes rss;
  Bytes rss_anon;
  Bytes rss_file;
  Bytes rss_shmem;
  Bytes hugetlb;
  Bytes swap;
  Bytes locked;
  Bytes pinned;  // kept in place for devices and io_uring; not part of `locked`
  Bytes page_tables;
  Bytes peak_rss;
  Bytes peak_vm_size;
};

struct KernelCounterName {
  std::string_view name;
  Bytes KernelCounters::*member;
};

inline constexpr std::array<KernelCounterName, 12> kernel_counter_names{{
    {"vm_size", &KernelCounters::vm_size},
    {"rss", &KernelCounters::rss},
    {"rss_anon", &KernelCounters::rss_anon},
    {"rss_file", &KernelCounters::rss_file},
    {"rss_shmem", &KernelCounters::rss_shmem},
    {"hugetlb", &KernelCounters::hugetlb},
    {"swap", &KernelCounters::swap},
    {"locked", &KernelCounters::locked},
    {"pinned", &KernelCounters::pinned},
    {"page_tables", &KernelCounters::page_tables},
    {"peak_rss", &KernelCounters::peak_rss},
    {"peak_vm_size", &KernelCounters::peak_vm_size},
}};

/// Something the reader of the numbers must know: `code` for programs, `message` for people (one sentence).
struct Note {
  std::string code;
  std::string message;
};

}  // namespace vmscan
