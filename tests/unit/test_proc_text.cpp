#include <catch2/catch.hpp>
#include <cstring>

#include "libvmscan/source/linux/text/proc_text.h"

using namespace vmscan;

TEST_CASE("status tells names, ids and counters") {
  const StatusText status = parse_status(
      "Name:\ta\\nb\\\\c\nState:\tS (sleeping)\nPPid:\t12\nUid:\t1000\t1001\t1002\t1003\nNSpid:\t42\t7\n"
      "VmRSS:\t    2048 kB\nVmPTE:\t      56 kB\nVmLck:\t 0 kB\nThreads:\t3\n");
  CHECK(status.name == "a\nb\\c");
  CHECK(status.state == 'S');
  CHECK(status.parent_pid == 12U);
  CHECK(status.effective_uid == 1001U);
  CHECK(status.namespace_pids == std::vector<std::uint32_t>{42, 7});
  CHECK(status.threads == 3U);
  CHECK(status.counters.rss == Bytes{2048 * 1024});
  CHECK(status.counters.page_tables == Bytes{56 * 1024});
  CHECK(status.counters.locked == Bytes{0});
  CHECK_FALSE(status.counters.swap.known());
}

TEST_CASE("stat counts its fields from the last parenthesis") {
  const auto stat = parse_stat(
      "42 (a) b (c) Z 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 123456 0 0 18446744073709551615 94360 0 0"
      " 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 24576 28672 32768 0 0\n");
  REQUIRE(stat.has_value());
  CHECK(stat->state == 'Z');
  CHECK(stat->flags == 4194560);
  CHECK(stat->start_time_ticks == 123456);
  CHECK(stat->start_code == 94360);
  CHECK(stat->start_brk == 32768);
  CHECK_FALSE(parse_stat("").has_value());
  CHECK_FALSE(parse_stat("42 (a").has_value());
  CHECK_FALSE(parse_stat("42 (a) S 1 2 3").has_value());
}

TEST_CASE("the stack pointer of a thread stands before its instruction pointer") {
  CHECK(parse_syscall_stack_pointer("202 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffe1000 0x7f00\n") == Address{0x7ffe1000});
  CHECK(parse_syscall_stack_pointer("-1 0x7ffe1000 0x7f00\n") == Address{0x7ffe1000});
  for (const char* text : {"running\n", "", "-1 0x0 0x0\n", "-1 7ffe 0x1\n", "1 2 3 4 5 6 7 8 9 10"})
    CHECK_FALSE(parse_syscall_stack_pointer(text).has_value());
}

TEST_CASE("limits are numbers or unlimited") {
  const char* text =
      "Limit                     Soft Limit           Hard Limit           Units\n"
      "Max stack size            8388608              unlimited            bytes\n"
      "Max address space         unlimited            unlimited            bytes\n";
  CHECK(parse_limit(text, "Max stack size").limit == Bytes{8388608});
  CHECK_FALSE(parse_limit(text, "Max stack size").unlimited);
  CHECK(parse_limit(text, "Max address space").unlimited);
  CHECK_FALSE(parse_limit(text, "Max locked memory").limit.known());
}

TEST_CASE("control groups that count memory, of version 1 first") {
  const auto paths = parse_cgroup("0::/user.slice\n9:cpu,memory:/a:b\n3:cpuset:/c\nnonsense\n");
  REQUIRE(paths.size() == 2);
  CHECK((!paths[0].v2 && paths[0].path == "/a:b"));
  CHECK((paths[1].v2 && paths[1].path == "/user.slice"));
}

TEST_CASE("file systems that live in RAM") {
  const auto devices = parse_memory_devices(
      "22 1 0:20 / /dev/shm rw,nosuid shared:3 - tmpfs tmpfs rw\n23 1 254:0 / /tmpfs rw - ext4 /dev/tmpfs rw\n24 1 "
      "0:21 / /h rw - hugetlbfs h rw\n");
  CHECK(devices == std::set<std::pair<std::uint32_t, std::uint32_t>>{{0, 20}, {0, 21}});
}

TEST_CASE("file systems that ask nobody") {
  const Mounts local =
      parse_mounts("22 1 0:20 / /dev/shm rw,nosuid shared:3 - tmpfs tmpfs rw\n23 1 254:0 / / rw - ext4 /dev/vda rw\n");
  CHECK(local.all_local);
  CHECK(local.local_ids == std::set<std::uint64_t>{22, 23});
  CHECK(local.local_devices == std::set<std::pair<std::uint32_t, std::uint32_t>>{{0, 20}, {254, 0}});
  const Mounts foreign = parse_mounts(
      "23 1 254:0 / / rw - ext4 /dev/vda rw\n24 23 0:47 / /mnt rw - fuse.sshfs me@there:/ rw\n25 23 0:48 / /n rw - "
      "nfs4 "
      "there:/n rw\n");
  CHECK_FALSE(foreign.all_local);
  CHECK(foreign.local_ids == std::set<std::uint64_t>{23});
  CHECK(foreign.local_devices == std::set<std::pair<std::uint32_t, std::uint32_t>>{{254, 0}});
  CHECK_FALSE(parse_mounts("").all_local);
  CHECK_FALSE(parse_mounts("nonsense\n").all_local);
}

TEST_CASE("auxv tells its word size by its page size") {
  const std::uint64_t wide[] = {33, 0x7ffd00100000, 6, 4096, 0, 0};
  const std::uint32_t narrow[] = {32, 0xf7f00000, 6, 4096, 0, 0};
  CHECK(auxv_pointer_bits(std::as_bytes(std::span(wide))) == 64U);
  CHECK(auxv_pointer_bits(std::as_bytes(std::span(narrow))) == 32U);
  CHECK(auxv_value(std::as_bytes(std::span(narrow)), 32, 32) == std::uint64_t{0xf7f00000});
  CHECK_FALSE(auxv_value(std::as_bytes(std::span(wide)), 64, 25).has_value());
  CHECK_FALSE(auxv_pointer_bits({}).has_value());
}
