// Resources of a process beside their limits.
#include <algorithm>
#include <string>

#include "libvmscan/source/linux/live_process.h"
#include "libvmscan/source/linux/text/maps_text.h"

namespace vmscan {
namespace {

Bytes number_in(const std::string& path) {
  const std::string text = read_system_file(path);
  std::string_view rest = text;
  std::uint64_t value = 0;
  return take_decimal(rest, value) ? Bytes{value} : Bytes{};
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "" : path.substr(0, slash);
}

struct CgroupFiles {
  std::string root, usage, limit;
};

/// The smallest limit from the group upwards: each one binds. A v1 group without a limit says the largest page count.
Limit read_cgroup(const CgroupFiles& files, std::string path) {
  constexpr std::uint64_t unlimited = 1ULL << 62;
  Limit result{.name = "cgroup_memory", .used = number_in(files.root + path + files.usage), .limit = {}};
  bool known = false;
  for (;; path = parent_of(path)) {
    const std::string text = read_system_file(files.root + path + files.limit);
    std::string_view rest = text;
    std::uint64_t value = 0;
    known |= text.starts_with("max");
    if (take_decimal(rest, value)) {
      known = true;
      if (value < unlimited && (!result.limit || value < *result.limit)) result.limit = value;
    }
    if (path.empty()) break;
  }
  result.unlimited = known && !result.limit;
  return result;
}

Limit cgroup_limit(const ProcDir& proc) {
  for (CgroupPath& group : parse_cgroup(proc.read("cgroup").value_or(std::string{}))) {
    if (group.path.find("..") != std::string::npos) continue;  // outside of our own cgroup namespace
    if (group.path == "/") group.path.clear();
    const CgroupFiles files =
        group.v2 ? CgroupFiles{"/sys/fs/cgroup", "/memory.current", "/memory.max"}
                 : CgroupFiles{"/sys/fs/cgroup/memory", "/memory.usage_in_bytes", "/memory.limit_in_bytes"};
    Limit limit = read_cgroup(files, group.path);
    if (limit.used || limit.limit) return limit;
  }
  return {.name = "cgroup_memory", .used = {}, .limit = {}};
}

}  // namespace

void collect_limits(const ProcDir& proc, const StatusText& status, Facts& facts) {
  const std::string limits = proc.read("limits").value_or(std::string{});
  const auto add = [&](const char* name, std::string_view title, Bytes used) {
    Limit limit = parse_limit(limits, title);
    limit.name = name;
    limit.used = used;
    facts.limits.push_back(std::move(limit));
  };
  facts.limits.push_back({.name = "mappings",
                          .used = facts.mappings_known ? Bytes{facts.mappings.size()} : Bytes{},
                          .limit = number_in("/proc/sys/vm/max_map_count")});
  add("address_space", "Max address space", status.counters.vm_size);
  add("data", "Max data size", status.data);
  add("stack", "Max stack size", status.stack);
  // Locked and pinned memory have one limit, but two counters, and each may reach it. RDMA compares VmPin with it, as
  // mlock() does VmLck; io_uring compares the sum over all processes of the user (ib_umem_get() and __io_account_mem()
  // in the kernel).
  add("locked", "Max locked memory", status.counters.locked);
  add("pinned", "Max locked memory", status.counters.pinned);
  facts.limits.push_back(cgroup_limit(proc));
}

}  // namespace vmscan
