#include <catch2/catch.hpp>

#include "libvmscan/owners/threads/thread_stacks.h"
#include "tests/support/fake_memory.h"

using namespace vmscan;
using tests::FakeMemory;

namespace {

constexpr Address ld_data = 0x10000, stacks = 0x7f0000000000;
constexpr std::uint64_t stack_size = 0x10000, guard_size = 0x1000;
constexpr Address used_head = ld_data + 0x100, user_head = ld_data + 0x110, kept_head = ld_data + 0x120;

/// struct pthread of glibc 2.36 on x86_64 (offsets as gdb prints them for Debian 12's libc with debug symbols).
constexpr Address self_offset = 0x10, list_offset = 0x2c0, tid_offset = 0x2d0, cancel_offset = 0x308,
                  join_offset = 0x628, block_offset = 0x690;
constexpr std::uint32_t joined_tid = 0xffffffff, exiting = 0x10;

struct Glibc {
  FakeMemory memory;
  std::vector<Address> used, user, kept;

  Glibc() { memory.map(ld_data, 0x1000, "/usr/lib/ld-linux-x86-64.so.2"); }

  Address stack(unsigned number) const { return stacks + number * stack_size; }

  void add(std::uint32_t tid, std::vector<Address>& ring) {
    const Address begin = stack(static_cast<unsigned>(used.size() + user.size() + kept.size()));
    memory.reserve(begin, guard_size);
    memory.map(begin + guard_size, stack_size - guard_size);
    const Address pd = begin + stack_size - 0x900;
    memory.put_word(pd, pd);
    memory.put_word(pd + self_offset, pd);
    memory.put(pd + tid_offset, tid, 4);
    memory.put_word(pd + block_offset, begin);
    memory.put_word(pd + block_offset + 8, stack_size);
    memory.put_word(pd + block_offset + 16, guard_size);
    ring.push_back(pd + list_offset);
  }
  /// The main thread has no stack of the library's making.
  void add_main(std::uint32_t tid) {
    add(tid, user);
    for (const Address offset : {0x0, 0x8, 0x10}) set(user.back(), block_offset + offset, 0);
    thread(tid);
  }
  /// A word of the structure.
  void set(Address node, Address offset, std::uint64_t value) { memory.put_word(node - list_offset + offset, value); }
  void thread(std::uint32_t tid, std::string name = {}) {
    memory.facts().threads.push_back({.id = tid, .name = std::move(name), .stack_pointer = {}});
  }
  void link(Address head, const std::vector<Address>& ring) {
    Address last = head;
    for (const Address node : ring) {
      memory.put_word(last, node);
      memory.put_word(node + 8, last);
      last = node;
    }
    memory.put_word(last, head);
    memory.put_word(head + 8, last);
  }
  const std::vector<ThreadStack>& find() {
    link(used_head, used);
    link(kept_head, kept);
    if (!user.empty()) link(user_head, user);
    find_thread_stacks(memory.facts(), memory);
    return memory.facts().stacks;
  }
};

}  // namespace

TEST_CASE("glibc's lists give every thread its stack, and those that nobody has") {
  Glibc glibc;
  for (const std::uint32_t tid : {41U, 42U, 0U}) glibc.add(tid, glibc.used);
  glibc.add(0, glibc.kept);
  glibc.thread(41);
  glibc.thread(42);
  const auto& found = glibc.find();
  REQUIRE(found.size() == 4);
  for (unsigned i = 0; i < 4; ++i) {
    CHECK(found[i].range == Range{glibc.stack(i), glibc.stack(i) + stack_size});
    CHECK(found[i].guard_size == guard_size);
  }
  CHECK(found[0].thread == 41);
  CHECK(found[1].thread == 42);
  CHECK(found[2].owner == ThreadStack::Owner::Ended);
  CHECK(found[3].owner == ThreadStack::Owner::Nobody);
  CHECK(glibc.memory.facts().threads[0].control_block == glibc.stack(1) - 0x900);
}

TEST_CASE("glibc: an ended thread is not joined, or its stack is kept, as the list says that holds it") {
  Glibc glibc;
  glibc.add_main(41);
  for (int i = 0; i < 3; ++i) glibc.add(0, glibc.used);
  for (int i = 0; i < 2; ++i) glibc.add(0, glibc.kept);
  glibc.memory.put_word(kept_head + 16, 2 * stack_size);  // the bytes in the cache
  SECTION("whatever the structures say") {
    for (const Address node : glibc.kept) glibc.set(node, cancel_offset, exiting);
  }
  SECTION("what fork() left of the parent's threads lies in the cache") {}
  SECTION("a joined thread") {
    for (const Address node : glibc.kept) glibc.memory.put(node + 16, joined_tid, 4);
  }
  const auto& found = glibc.find();
  REQUIRE(found.size() == 5);
  for (unsigned i = 0; i < 5; ++i)
    CHECK(found[i].owner == (i < 3 ? ThreadStack::Owner::Ended : ThreadStack::Owner::Nobody));
}

TEST_CASE("glibc: in a static program the three lists may lie in the other order") {
  Glibc glibc;
  glibc.add_main(41);
  glibc.add(0, glibc.kept);  // the third head is that of the stacks in use here
  const bool both = GENERATE(false, true);
  if (both) glibc.add(0, glibc.used);
  glibc.memory.put_word(used_head - 16, both ? stack_size : 0);
  if (!both) glibc.link(used_head, {});
  const auto& found = glibc.find();
  REQUIRE(found.size() == (both ? 2 : 1));
  CHECK(found[0].owner == ThreadStack::Owner::Ended);
  if (both) CHECK(found[1].owner == ThreadStack::Owner::Nobody);
}

TEST_CASE("glibc: where no count tells the lists apart, the threads' own structures do") {
  Glibc glibc;
  glibc.add_main(41);
  glibc.add(0, glibc.used);
  glibc.add(0, glibc.used);
  auto expected = ThreadStack::Owner::Nobody;
  SECTION("ended, and nobody has joined them") {
    for (const Address node : glibc.used) glibc.set(node, cancel_offset, exiting);
    expected = ThreadStack::Owner::Ended;
  }
  SECTION("one was joined") {
    for (const Address node : glibc.used) glibc.set(node, cancel_offset, exiting);
    glibc.memory.put(glibc.used[1] + 16, joined_tid, 4);
  }
  SECTION("detached threads name themselves") {
    for (const Address node : glibc.used) {
      glibc.set(node, cancel_offset, exiting);
      glibc.set(node, join_offset, node - list_offset);
    }
  }
  SECTION("they did not end: fork() left them behind") {}
  glibc.memory.put_word(kept_head + 16, 77);  // no count of stacks
  const auto& found = glibc.find();
  REQUIRE(found.size() == 2);
  for (const ThreadStack& stack : found) CHECK(stack.owner == expected);
}

TEST_CASE("a thread in another pid namespace is known by its own id") {
  Glibc glibc;
  glibc.add(2, glibc.used);
  glibc.thread(4711);
  glibc.memory.facts().threads[0].inner_id = 2;
  REQUIRE(glibc.find().size() == 1);
  CHECK(glibc.memory.facts().stacks[0].thread == 4711);
}

TEST_CASE("a list whose threads are none of the target's is not believed") {
  Glibc glibc;
  glibc.add(41, glibc.used);
  glibc.thread(99);
  CHECK(glibc.find().empty());
}

TEST_CASE("a list that never returns to its head ends") {
  Glibc glibc;
  for (const std::uint32_t tid : {41U, 42U, 43U}) {
    glibc.add(tid, glibc.used);
    glibc.thread(tid);
  }
  glibc.find();
  glibc.memory.put_word(glibc.used[1], glibc.used[0]);  // 41 → 42 → 41: 43 and the head are never reached
  find_thread_stacks(glibc.memory.facts(), glibc.memory);
  CHECK(glibc.memory.facts().stacks.size() <= 2);
  CHECK(glibc.memory.reads() < 1000);
}

TEST_CASE("stacks that the structures say overlap are told once") {
  Glibc glibc;
  for (const std::uint32_t tid : {41U, 42U}) {
    glibc.add(tid, glibc.used);
    glibc.thread(tid);
  }
  glibc.memory.put_word(glibc.used[1] - list_offset + block_offset, glibc.stack(0));
  glibc.memory.put_word(glibc.used[1] - list_offset + block_offset + 8, 2 * stack_size);
  CHECK(glibc.find().size() == 1);
}

TEST_CASE("a size that wraps around or memory that is not there is no stack") {
  Glibc glibc;
  for (const std::uint32_t tid : {41U, 42U}) {
    glibc.add(tid, glibc.used);
    glibc.thread(tid);
  }
  glibc.memory.put_word(glibc.used[1] - list_offset + block_offset + 8, ~std::uint64_t{0});
  REQUIRE(glibc.find().size() == 1);
  CHECK(glibc.memory.facts().stacks[0].thread == 41);
}

TEST_CASE("musl's ring leads from the main thread to the others") {
  FakeMemory memory;
  constexpr Address data = 0x20000, main_thread = data + 0x80;
  memory.map(data, 0x1000, "/usr/lib/x86_64-linux-musl/libc.so");
  constexpr Address begin = stacks, pd = begin + stack_size - 0x200;
  memory.reserve(begin, guard_size);
  memory.map(begin + guard_size, stack_size - guard_size);
  // struct pthread of musl 1.2.3 on x86_64: prev 0x10, next 0x18, tid 0x30, map_base 0x48.
  for (const Address each : {main_thread, pd}) {
    const Address other = each == pd ? main_thread : pd;
    memory.put_word(each, each);
    memory.put_word(each + 0x10, other);
    memory.put_word(each + 0x18, other);
    memory.put(each + 0x30, each == pd ? 52 : 51, 4);
  }
  memory.put_word(pd + 0x48, begin);
  memory.put_word(pd + 0x50, stack_size);
  memory.put_word(pd + 0x58, pd - 0x40);
  memory.put_word(pd + 0x60, pd - 0x40 - begin - guard_size);
  memory.put_word(pd + 0x68, guard_size);
  for (const std::uint32_t id : {51U, 52U})
    memory.facts().threads.push_back({.id = id, .name = {}, .stack_pointer = {}});
  find_thread_stacks(memory.facts(), memory);
  REQUIRE(memory.facts().stacks.size() == 1);
  CHECK(memory.facts().stacks[0].range == Range{begin, begin + stack_size});
  CHECK(memory.facts().stacks[0].thread == 52);
  CHECK(memory.facts().stacks[0].library == "musl");
}

TEST_CASE("musl: a thread that has ended and was not joined has left the ring, and is found at the end of its stack") {
  FakeMemory memory;
  constexpr Address data = 0x20000, main_thread = data + 0x80;
  memory.map(data, 0x1000, "/usr/lib/x86_64-linux-musl/libc.so");
  const auto put_thread = [&](Address pd, std::uint32_t tid) {
    for (const Address offset : {0x0, 0x10, 0x18}) memory.put_word(pd + offset, pd);
    memory.put(pd + 0x30, tid, 4);
  };
  put_thread(main_thread, 51);
  constexpr Address begin = stacks, pd = begin + stack_size - 0x600;
  memory.reserve(begin, guard_size);
  memory.map(begin + guard_size, stack_size - guard_size);
  put_thread(pd, 0);
  memory.put_word(pd + 0x48, begin);
  memory.put_word(pd + 0x50, stack_size);
  memory.put_word(pd + 0x58, pd - 0x40);
  memory.put_word(pd + 0x60, pd - 0x40 - begin - guard_size);
  memory.put_word(pd + 0x68, guard_size);
  memory.facts().threads.push_back({.id = 51, .name = {}, .stack_pointer = {}});
  SECTION("found") {
    find_thread_stacks(memory.facts(), memory);
    REQUIRE(memory.facts().stacks.size() == 1);
    CHECK(memory.facts().stacks[0].range == Range{begin, begin + stack_size});
    CHECK(memory.facts().stacks[0].owner == ThreadStack::Owner::Ended);
  }
  SECTION("an empty list of the program's is none") {
    memory.put_word(pd + 0x50, 0);
    find_thread_stacks(memory.facts(), memory);
    CHECK(memory.facts().stacks.empty());
  }
}
