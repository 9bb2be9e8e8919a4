#include "tests/unit/sample_snapshot.h"

namespace vmscan::tests {

Usage usage_of(std::uint64_t committed, std::uint64_t private_bytes, std::uint64_t private_ws,
               std::uint64_t shareable_ws, std::uint64_t shared_ws) {
  Usage usage;
  usage.committed = committed;
  usage.private_bytes = private_bytes;
  usage.total_ws = private_ws + shareable_ws;
  usage.private_ws = private_ws;
  usage.shareable_ws = shareable_ws;
  usage.shared_ws = shared_ws;
  usage.locked_ws = 0;
  usage.swap = 0;
  usage.hugetlb = 0;
  return usage;
}

Region region_of(RegionType type, Address begin, std::uint64_t size, const Usage& usage) {
  Region region;
  region.range = *Range::make(begin, size);
  region.type = type;
  region.rule = "test";
  region.usage = usage;
  Block block;
  block.range = region.range;
  block.protection = Protection{.read = true, .write = true};
  block.usage = usage;
  region.blocks.push_back(block);
  return region;
}

namespace {

Region image() {
  Region region;
  region.range = {0x400000, 0x404000};
  region.type = RegionType::Image;
  region.rule = "elf_image";
  region.details = "/usr/bin/target \"quoted\" \xC3\xA9";
  region.evidence = "ELF header at 0x400000";
  region.build_id = "0123456789abcdef0123456789abcdef01234567";
  Block text;
  text.range = {0x400000, 0x402000};
  text.protection = Protection{.read = true, .execute = true};
  text.usage = usage_of(0x2000, 0, 0, 0x2000, 0x1000);
  text.details = ".text";
  Block data;
  data.range = {0x402000, 0x404000};
  data.protection = Protection{.read = true, .write = true, .copy_on_write = true};
  data.usage = usage_of(0x2000, 0x2000, 0x1000, 0x1000, 0);
  data.details = ".data .bss";
  region.blocks = {text, data};
  region.usage = usage_of(0x4000, 0x2000, 0x1000, 0x3000, 0x1000);
  return region;
}

Region stack() {
  Region region;
  region.range = {0x7ffffffd0000, 0x7ffffffe0000};
  region.type = RegionType::Stack;
  region.rule = "thread_stack";
  region.details = "Thread 43 worker";
  Block guard;
  guard.range = {0x7ffffffd0000, 0x7ffffffd1000};
  guard.state = State::Reserved;
  guard.details = "Guard";
  guard.usage = usage_of(0, 0, 0, 0, 0);
  Block used;
  used.range = {0x7ffffffd1000, 0x7ffffffe0000};
  used.protection = Protection{.read = true, .write = true};
  used.usage = usage_of(0xf000, 0xf000, 0x2000, 0, 0);
  region.blocks = {guard, used};
  region.usage = usage_of(0xf000, 0xf000, 0x2000, 0, 0);
  return region;
}

Target target() {
  Target target;
  target.pid = 42;
  target.namespace_pids = {42, 7};
  target.parent_pid = 1;
  target.user_id = 1000;
  target.name = "target";
  target.executable = "/usr/bin/target";
  target.arguments = {"--flag", "a b", ""};
  target.system = "linux";
  target.machine = "x86_64";
  target.kernel = "6.1.0";
  target.pointer_bits = 64;
  target.started_at_unix_ms = 1'795'248'000'120;
  return target;
}

}  // namespace

Snapshot rich_snapshot() {
  Snapshot snapshot;
  snapshot.target = target();
  snapshot.captured_at_unix_ms = 1'795'248'012'345;
  snapshot.consistency = Consistency::Stable;
  snapshot.label = "after warm-up";
  snapshot.address_space = Range{0, 0x7ffffffff000};
  snapshot.page_table = 0x3000;
  snapshot.regions.push_back(region_of(RegionType::Unusable, 0, 0x10000, Usage::zero()));
  Usage& nothing = snapshot.regions.back().usage;
  for (const UsageColumn& column : usage_columns) {
    if (column.from_smaps) nothing.*column.member = Bytes{};
  }
  snapshot.regions.back().blocks.front() = {
      .range = {0, 0x10000}, .state = State::Reserved, .protection = {}, .usage = nothing, .details = {}};
  snapshot.regions.push_back(image());
  snapshot.regions.push_back(region_of(RegionType::Heap, 0x500000, 0x21000, usage_of(0x21000, 0x21000, 0x5000, 0, 0)));
  const Usage shared = usage_of(0x1000, 0x1000, 0, 0x1000, 0x1000);
  snapshot.regions.push_back(region_of(RegionType::Heap, 0x600000, 0x1000, shared));
  snapshot.regions.push_back(stack());
  snapshot.kernel.vm_size = 0x35000;
  snapshot.kernel.rss = 0xc000;
  snapshot.limits.push_back({"mappings", 827, 65530, false});
  snapshot.limits.push_back({"address_space", 0x35000, {}, true});
  snapshot.threads.push_back({42, "target", 0x7ffffffdf000});
  snapshot.threads.push_back({43, "worker", std::nullopt});
  snapshot.heap_shortfalls = {{.allocator = "glibc", .blocks = 3, .bytes = 0x3000},
                              {.allocator = "mimalloc",
                               .figures = HeapShortfall::Figures::Blocks,
                               .reason = HeapShortfall::Reason::SwappedOut,
                               .blocks = {},
                               .bytes = 0x5000}};
  snapshot.notes.push_back({"no_smaps", "smaps was not read"});
  return snapshot;
}

Snapshot long_snapshot(std::size_t count) {
  Snapshot snapshot;
  snapshot.target.pid = 1;
  snapshot.target.name = "many";
  snapshot.address_space = Range{0, 0x7ffffffff000};
  snapshot.page_table = 0x1000;
  for (std::size_t i = 0; i < count; ++i) {
    snapshot.regions.push_back(
        region_of(RegionType::PrivateData, 0x10000 + 0x2000 * i, 0x1000, usage_of(0x1000, 0x1000, 0x1000, 0, 0)));
  }
  return snapshot;
}

}  // namespace vmscan::tests
