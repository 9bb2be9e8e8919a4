// For every rule, something that looks like what it claims and is not. Wrong owner is worse than none.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/classify/rules.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/owners/find_owners.h"
#include "libvmscan/owners/runtimes/runtimes.h"
#include "libvmscan/owners/threads/thread_stacks.h"
#include "tests/support/facts_text.h"
#include "tests/support/fake_allocators.h"
#include "tests/support/fake_block_runtimes.h"
#include "tests/support/fake_glibc.h"
#include "tests/support/fake_owners.h"

using namespace vmscan;
using namespace vmscan::tests;

namespace {

Facts text(std::string_view lines) { return facts_from_text(lines); }

void find_all(FakeMemory& memory) {
  std::ranges::sort(memory.facts().mappings, {}, [](const Mapping& each) { return each.range.begin; });
  find_thread_stacks(memory.facts(), memory);
  find_owners(memory.facts(), memory, ~std::uint64_t{0});
  find_signal_stacks(memory.facts(), memory);
}

/// What is found in the memory that `make` has put down.
Facts found(void (*make)(FakeMemory&)) {
  FakeMemory memory;
  memory.facts().target.page_size = 0x1000;
  make(memory);
  find_all(memory);
  return memory.facts();
}

Facts with_thread(Facts facts, std::uint32_t id) {
  facts.threads.push_back({.id = id, .name = {}, .stack_pointer = {}});
  return facts;
}

struct Lookalike {
  std::string_view rule, what;
  std::function<Facts()> facts;
};

constexpr std::string_view guard_and_stack =
    "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
    "7f0000001000-7f0000801000 rw-p 00000000 00:00 0 \n";

const std::vector<Lookalike>& lookalikes() {
  static const std::vector<Lookalike> all{
      {"kernel_code", "a file called [vdso]",
       [] { return text("1000-2000 r-xp 00000000 fe:00 7 /tmp/[vdso]\n3000-4000 r-xp 0 00:00 0 [anon:[vdso]]\n"); }},
      {"kernel_data", "a name of the program's own",
       [] { return text("1000-2000 r--p 00000000 00:00 0 [anon:vvar]\n2000-3000 r--p 0 fe:00 7 /tmp/[vvar]\n"); }},
      {"elf_load", "a library mapped as data, whole and read-only",
       [] {
         return text(
             "elf fe:00 12\nsegment 0 0 1000 1000 r\nsegment 1000 1000 1000 1000 rx\n"
             "10000-13000 r--p 00000000 fe:00 12 /lib.so\n");
       }},
      {"executable_file", "executable memory without a file, and files that may not be executed",
       [] {
         return text("1000-2000 rwxp 0 00:00 0 \n2000-3000 r--p 0 fe:00 3 /a\n3000-4000 r-xp 0 fe:00 4 /dev/x\n");
       }},
      {"named_stack", "names that only begin or end so",
       [] {
         return text(
             "1000-2000 rw-p 0 00:00 0 [anon:thread stacks]\n2000-3000 rw-p 0 00:00 0 [anon:my thread stack]\n");
       }},
      {"named_managed_heap", "names that only begin or end so",
       [] { return text("1000-2000 rw-p 0 00:00 0 [anon:v8engine]\n2000-3000 rw-p 0 00:00 0 [anon:not v8]\n"); }},
      {"named_heap", "names that only begin or end so",
       [] {
         return text("1000-2000 rw-p 0 00:00 0 [anon:mimallocator]\n2000-3000 rw-p 0 00:00 0 [anon:glibc: mallocs]\n");
       }},
      {"main_stack", "a name of the program's own",
       [] { return text("1000-2000 rw-p 0 00:00 0 [anon:stack]\n2000-3000 rw-p 0 fe:00 3 /tmp/[stack]\n"); }},
      {"initial_stack", "AT_RANDOM leads into a file",
       [] {
         Facts facts = text("1000-2000 rw-p 0 fe:00 3 /a\n");
         facts.initial_stack = 0x1800;
         return facts;
       }},
      {"thread_list", "a ring of a program's own numbers in ld.so's data",
       [] {
         return found([](FakeMemory& memory) {
           constexpr Address data = 0x7fa60002a000, node = 0x7f0000010000;
           memory.map(data, 0x1000, "/usr/lib/ld-linux-x86-64.so.2");
           memory.map(node & ~Address{0xffff}, 0x20000);
           memory.facts().threads.push_back({.id = 7, .name = {}, .stack_pointer = {}});
           memory.put_word(data + 0x40, node);
           memory.put_word(data + 0x48, node);
           memory.put_word(node, data + 0x40);
           memory.put_word(node + 8, data + 0x40);
           memory.put(node + 16, 12345, 4);  // no thread has that id
           memory.put_word(node + 0x100, node & ~Address{0xffff});
           memory.put_word(node + 0x108, 0x20000);
         });
       }},
      {"kept_stack", "a list of nobody's stacks where no thread has one",
       [] {
         return found([](FakeMemory& memory) {
           constexpr Address data = 0x7fa60002a000, node = 0x7f0000010000;
           memory.map(data, 0x1000, "/usr/lib/ld-linux-x86-64.so.2");
           memory.map(node & ~Address{0xffff}, 0x20000);
           memory.put_word(data + 0x40, node);
           memory.put_word(data + 0x48, node);
           memory.put_word(node, data + 0x40);
           memory.put_word(node + 8, data + 0x40);
           memory.put_word(node + 0x100, node & ~Address{0xffff});
           memory.put_word(node + 0x108, 0x20000);
         });
       }},
      {"runtime_structure", "regions of another program that count themselves as V8's pages do",
       [] {
         return found([](FakeMemory& memory) {
           using F = FakeSandbox;
           F::add(memory);
           std::erase_if(memory.facts().mappings,
                         [](const Mapping& each) { return each.range.begin == F::cage + 5 * F::page_bytes; });
           for (std::uint64_t number = 5; number <= 6; ++number) {
             memory.map(F::cage + number * F::page_bytes, F::page_bytes, {}, 0x1000);
             memory.put_word(F::cage + number * F::page_bytes, 0x7f0000000000);
           }
           memory.reserve(F::cage + 7 * F::page_bytes, F::cage_bytes + F::guard - 7 * F::page_bytes);
         });
       }},
      {"runtime_allocator", "pages with {pointer, pointer, counts} whose buckets are of no partition",
       [] {
         return found([](FakeMemory& memory) {
           FakePartitionAlloc::add(memory);
           for (const Mapping& each : std::vector<Mapping>(memory.facts().mappings))
             if (each.range.size() == 0x1000) memory.put_word(each.range.begin + 48, FakePartitionAlloc::pool);
         });
       }},
      {"signal_frame", "random words on a thread's stack",
       [] {
         return found([](FakeMemory& memory) {
           memory.map(0x7f0000000000, 0x10000);
           for (Address at = 0x7f0000000000; at < 0x7f0000010000; at += 8) memory.put_word(at, at * 0x9e3779b97f4a7c15);
           memory.facts().threads.push_back({.id = 7, .name = {}, .stack_pointer = 0x7f0000001000});
         });
       }},
      {"thread_stack_pointer", "a stack pointer in memory without a guard, and one in a file",
       [] {
         return text(
             "thread 7 7f0000002f00\nthread 8 7f0000012f00\n7f0000000000-7f0000003000 rw-p 0 00:00 0 \n"
             "7f000000f000-7f0000010000 ---p 0 00:00 0 \n7f0000010000-7f0000013000 rw-p 0 fe:00 3 /a\n");
       }},
      {"malloc_arena", "bins that lead elsewhere",
       [] {
         FakeGlibc glibc;
         glibc.chunk(0x21000 - 0x100);
         glibc.finish();
         for (std::uint64_t i = 0; i < 127; ++i)
           glibc.memory.put_word(FakeGlibc::arena + FakeGlibc::bins + 16 * i, FakeGlibc::heap);
         find_all(glibc.memory);
         return glibc.memory.facts();
       }},
      {"allocator_structures", "jemalloc's root with a leaf of somebody's pointers",
       [] {
         return found([](FakeMemory& memory) {
           FakeJemalloc jemalloc(memory);
           for (std::uint64_t i = 0; i < 64; ++i)
             memory.put_word(FakeJemalloc::leaf + 8 * i, FakeJemalloc::edatas + 128 * i);
         });
       }},
      {"malloc_block", "a mapping that begins with a number and has no malloc around",
       [] {
         return found([](FakeMemory& memory) {
           memory.map(0x7f0000000000, 0x40000);
           memory.put_word(0x7f0000000008, 0x40002);
         });
       }},
      {"runtime_shape", "executable memory of a Mono process that calls nothing of Mono's",
       [] {
         return found([](FakeMemory& memory) {
           FakeMono::add(memory);
           memory.map(0x41000000, 0x10000);
           memory.facts().mappings.back().execute = true;
         });
       }},
      {"lone_stack", "a pool in whose middle a thread runs",
       [] { return text("thread 7 7f0000002f00\n7f0000000000-7f0000100000 rw-p 0 00:00 0 \n"); }},
      {"stack_shape", "the size of a stack behind a guard, where the bytes are known",
       [] {
         Facts facts = with_thread(text(guard_and_stack), 2);
         facts.contents_known = true;
         return facts;
       }},
      {"stack_shape", "more of them than threads that want one",
       [] {
         return with_thread(text(std::string(guard_and_stack) + "7f0001000000-7f0001001000 ---p 00000000 00:00 0 \n"
                                                                "7f0001001000-7f0001801000 rw-p 00000000 00:00 0 \n"),
                            2);
       }},
      {"stack_shape", "one whose end nobody has used",
       [] {
         Facts facts = with_thread(text(std::string(guard_and_stack) + "pages 7f0000001000-7f0000009000 px\n"), 2);
         facts.pages_known = true;
         return facts;
       }},
      {"signal_stack_shape", "a chunk of an allocator: a guard, and a header that a thread's stack leads to",
       [] {
         return found([](FakeMemory& memory) {
           constexpr Address chunk = 0x7f0000101000, stack = 0x7f0000001000;
           memory.reserve(chunk - 0x1000, 0x1000);
           memory.map(chunk, 0x2000);
           memory.put_word(chunk, chunk + 0x100);
           memory.map(stack, 0x10000);
           memory.put_word(stack + 0xf000, chunk);
           memory.facts().threads.push_back({.id = 7, .name = {}, .stack_pointer = {}});
         });
       }},
      {"brk_heap", "what only covers the place where brk would begin",
       [] { return text("brk 18000\n10000-20000 ---p 0 00:00 0 [heap]\n"); }},
      {"brk_place", "a program's own mapping behind the executable, in which no malloc is",
       [] {
         Facts facts = text(
             "elf fe:00 12\nsegment 0 0 1000 1000 rx\n10000-11000 r-xp 0 fe:00 12 /program\n"
             "20000-40000 rw-p 0 00:00 0 \n");
         facts.entry_point = 0x10100;
         facts.contents_known = true;
         return facts;
       }},
      {"arena_shape", "64 MiB at their multiple, where the bytes say that no arena is there",
       [] {
         Facts facts = text(
             "10000-11000 r-xp 0 fe:00 12 /usr/lib/libc.so.6\n"
             "7f0004000000-7f0004021000 rw-p 0 00:00 0 \n7f0004021000-7f0008000000 ---p 0 00:00 0 \n");
         facts.contents_known = true;
         return facts;
       }},
      {"arena_shape", "the same in a process without glibc",
       [] { return text("7f0004000000-7f0004021000 rw-p 0 00:00 0 \n7f0004021000-7f0008000000 ---p 0 00:00 0 \n"); }},
      {"memfd", "a file on disk with such a name", [] { return text("1000-2000 rw-s 0 fe:00 9 /memfd:name\n"); }},
      {"sysv_shm", "a file on disk with such a name", [] { return text("1000-2000 rw-s 0 fe:00 9 /SYSV00000000\n"); }},
      {"shared_anonymous", "the device itself, and a private mapping of it",
       [] { return text("1000-2000 rw-s 0 00:05 6 /dev/zero\n2000-3000 rw-p 0 00:01 9 /dev/zero (deleted)\n"); }},
      {"device", "files of /dev/shm and of a folder called dev",
       [] { return text("tmpfs 00:15\n1000-2000 rw-s 0 00:15 9 /dev/shm/x\n2000-3000 rw-s 0 fe:00 9 /srv/dev/x\n"); }},
      {"memory_file", "a file on disk below /dev/shm",
       [] { return text("tmpfs 00:15\n1000-2000 rw-s 0 fe:00 9 /dev/shm/on-disk/x\n"); }},
      {"mapped_file", "private memory of /dev/zero", [] { return text("1000-2000 rw-p 0 00:05 6 /dev/zero\n"); }},
      {"loader_data", "a heap with link_maps of what was loaded later",
       [] {
         return found([](FakeMemory& memory) {
           FakeLoader::add(memory);
           memory.put_word(FakeLoader::list_place, 0);  // none of them is known to be from the start
         });
       }},
      {"private_anonymous", "memory that the kernel can share",
       [] { return text("1000-2000 rw-s 0 00:01 9 /memfd:a (deleted)\n"); }},
  };
  return all;
}

}  // namespace

TEST_CASE("what only looks like something is not claimed as that") {
  for (const Lookalike& each : lookalikes()) {
    INFO(each.rule << ": " << each.what);
    const Snapshot snapshot = build_snapshot(each.facts());
    CHECK(broken_laws(snapshot).empty());
    CHECK_FALSE(snapshot.regions.empty());
    CHECK(std::ranges::none_of(snapshot.regions, [&](const Region& region) { return region.rule == each.rule; }));
  }
}

TEST_CASE("there is something that looks alike for every rule") {
  std::set<std::string_view> covered;
  for (const Lookalike& each : lookalikes()) covered.insert(each.rule);
  for (const Rule& rule : rules()) {
    INFO(rule.name);
    CHECK(covered.erase(rule.name) == 1);
  }
  CHECK(covered.empty());
}
