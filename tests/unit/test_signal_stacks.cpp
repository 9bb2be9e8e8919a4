// Alternate signal stacks, by frames laid down as arch/x86/kernel/signal_64.c and signal_32.c do, and by their shape.
#include <catch2/catch.hpp>
#include <random>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/model/laws.h"
#include "libvmscan/owners/threads/thread_stacks.h"
#include "tests/support/fake_memory.h"

using namespace vmscan;
using tests::FakeMemory;

namespace {

constexpr Address code = 0x400000, stack = 0x7f0000001000, alternate = 0x7f0000101000, page_bytes = 0x1000;
constexpr std::uint64_t stack_size = 0x20000, alternate_size = 0x8000;

struct Fake {
  FakeMemory memory;

  explicit Fake(unsigned bits = 64) : memory(bits) {
    if (bits == 32) return;
    memory.map(code, page_bytes, "/program");
    memory.facts().mappings.back().write = false;
    memory.facts().mappings.back().execute = true;
    const unsigned char call[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};  // as glibc 2.36 has it
    for (std::size_t i = 0; i < sizeof call; ++i) memory.put(code + 0x100 + i, call[i], 1);
    memory.reserve(stack - page_bytes, page_bytes);
    memory.map(stack, stack_size);
    memory.reserve(alternate - page_bytes, page_bytes);
    memory.map(alternate, 2 * alternate_size);
    memory.facts().target.page_size = page_bytes;
  }
  void thread(std::uint32_t id, Address stack_pointer) {
    memory.facts().threads.push_back({.id = id, .name = "worker", .stack_pointer = stack_pointer});
  }
  /// A frame of x86_64 at `at`, whose interrupted stack pointer is near the end of the usual stack.
  void frame(Address at, Address base, std::uint64_t size, std::uint32_t flags = 0) {
    memory.put_word(at, code + 0x100);
    memory.put_word(at + 8, 7);
    memory.put_word(at + 24, base);
    memory.put(at + 32, flags, 4);
    memory.put_word(at + 40, size);
    memory.put_word(at + 168, stack + stack_size - 0x100);
    memory.put(at + 192, 0x33, 2);
  }
  const std::vector<SignalStack>& find() {
    find_signal_stacks(memory.facts(), memory);
    return memory.facts().signal_stacks;
  }
  Snapshot judged() {
    find();
    Snapshot snapshot = build_snapshot(memory.facts());
    CHECK(broken_laws(snapshot).empty());
    return snapshot;
  }
};

const Region& region_at(const Snapshot& snapshot, Address address) {
  for (const Region& region : snapshot.regions)
    if (region.range.contains(address)) return region;
  static const Region none;
  return none;
}

}  // namespace

TEST_CASE("a frame on the alternate signal stack names it, and where the thread was before") {
  Fake fake;
  fake.thread(7, alternate + 0x6000);
  fake.frame(alternate + 0x7008, alternate, alternate_size);
  REQUIRE(fake.find().size() == 1);
  CHECK(fake.find()[0].range == Range{alternate, alternate + alternate_size});
  CHECK(fake.find()[0].thread == 7);
  CHECK(fake.find()[0].frame == alternate + 0x7008);
  CHECK(fake.find()[0].interrupted == stack + stack_size - 0x100);
  const Snapshot snapshot = fake.judged();
  const Region& region = region_at(snapshot, alternate);
  CHECK(region.range == Range{alternate - page_bytes, alternate + alternate_size});
  CHECK(region.type == RegionType::Stack);
  CHECK(region.rule == "signal_frame");
  CHECK(region.details == "Thread ID: 7 (worker), alternate signal stack");
  CHECK(region.blocks.front().details == "Guard");
  CHECK(region_at(snapshot, alternate + alternate_size).type == RegionType::PrivateData);
  CHECK(region_at(snapshot, stack).details == "Thread ID: 7 (worker)");
  CHECK(region_at(snapshot, stack).rule == "thread_stack_pointer");
}

TEST_CASE("a frame on the usual stack names the alternate one, too") {
  Fake fake;
  fake.thread(7, stack + 0x10000);
  fake.frame(stack + 0x10408, alternate, alternate_size);
  REQUIRE(fake.find().size() == 1);
  const Snapshot snapshot = fake.judged();
  CHECK(region_at(snapshot, alternate).details == "Thread ID: 7 (worker), alternate signal stack");
  CHECK(region_at(snapshot, stack).details == "Thread ID: 7 (worker)");
}

TEST_CASE("what only resembles a signal frame names nothing") {
  Fake fake;
  const Address at = stack + 0x10408;
  fake.thread(7, stack + 0x10000);
  fake.frame(at, alternate, alternate_size);
  SECTION("the return address leads to other code") { fake.memory.put(code + 0x103, 0x10, 1); }
  SECTION("the return address is no code") { fake.memory.put_word(at, alternate); }
  SECTION("no alternate stack is set") { fake.memory.put(at + 32, 2, 4); }
  SECTION("the stack is not mapped") { fake.memory.put_word(at + 24, alternate + 0x900000); }
  SECTION("its size wraps around") { fake.memory.put_word(at + 40, ~std::uint64_t{0}); }
  SECTION("it is smaller than any can be") { fake.memory.put_word(at + 40, 2000); }
  SECTION("it is memory of a file") { fake.memory.facts().mappings.back().inode = 5; }
  SECTION("it is shared") { fake.memory.facts().mappings.back().shared = true; }
  SECTION("it lies far from what it interrupted") { fake.memory.put_word(at + 168, alternate); }
  SECTION("it is no frame of user code") { fake.memory.put(at + 192, 0x10, 2); }
  SECTION("it lies below the stack pointer") { fake.memory.facts().threads[0].stack_pointer = at + 8; }
  SECTION("it is a heap's") {
    fake.memory.facts().heaps.push_back({.range = {alternate, alternate + page_bytes},
                                         .kind = HeapPart::Kind::Block,
                                         .details = "block",
                                         .evidence = {}});
  }
  CHECK(fake.find().empty());
}

TEST_CASE("code that cannot be read is believed only by a frame that lies on the stack it names") {
  Fake fake;
  fake.memory.facts().mappings[0].range = {0x500000, 0x501000};  // nothing can be read there
  fake.thread(7, alternate + 0x6000);
  fake.frame(alternate + 0x7008, alternate, alternate_size);
  fake.memory.put_word(alternate + 0x7008, 0x500100);
  fake.thread(8, stack + 0x10000);
  fake.frame(stack + 0x10408, alternate + alternate_size, alternate_size);
  fake.memory.put_word(stack + 0x10408, 0x500100);
  REQUIRE(fake.find().size() == 1);
  CHECK(fake.find()[0].thread == 7);
}

TEST_CASE("a frame of a 32-bit program is known by its pointers to its own parts") {
  Fake fake(32);
  constexpr Address here = 0xf7000000, other = 0xf7100000, at = here + 0x2010;
  fake.memory.map(here, 0x8000);
  fake.memory.map(other, 0x4000);
  fake.thread(3, here + 0x1000);
  fake.memory.put_word(at, 0xf7ffd550);
  fake.memory.put_word(at + 4, 10);
  fake.memory.put_word(at + 8, at + 16);
  fake.memory.put_word(at + 12, at + 144);
  fake.memory.put_word(at + 144 + 8, other);
  fake.memory.put_word(at + 144 + 16, 0x4000);
  fake.memory.put_word(at + 144 + 48, here + 0x7000);
  REQUIRE(fake.find().size() == 1);
  CHECK(fake.find()[0].range == Range{other, other + 0x4000});
  CHECK(fake.find()[0].interrupted == here + 0x7000);
  fake.memory.put_word(at + 8, at + 20);
  CHECK(fake.find().empty());
}

TEST_CASE("stacks of two threads that overlap are told once, and random bytes name none") {
  Fake fake;
  fake.thread(7, alternate + 0x6000);
  fake.frame(alternate + 0x7008, alternate, alternate_size);
  fake.thread(8, stack + 0x10000);
  fake.frame(stack + 0x10408, alternate + page_bytes, alternate_size);
  CHECK(fake.find().size() == 1);
  std::mt19937_64 random(7);
  for (const Address from : {stack, alternate})
    for (Address at = from; at < from + stack_size; at += 8) fake.memory.put_word(at, random() % 0x800000000000);
  fake.memory.facts().threads[1].stack_pointer = stack;
  CHECK(fake.find().empty());
}

TEST_CASE("a thread whose list tells another stack runs on a second one, which may be a coroutine's") {
  Fake fake;
  fake.thread(7, alternate + 0x6000);
  ThreadStack listed;
  listed.range = {stack - page_bytes, stack + stack_size};
  listed.guard_size = page_bytes;
  listed.thread = 7;
  listed.library = "glibc";
  fake.memory.facts().stacks.push_back(listed);
  const Snapshot snapshot = fake.judged();
  CHECK(region_at(snapshot, alternate).details == "Thread ID: 7 (worker), another stack");
  CHECK(region_at(snapshot, alternate).rule == "thread_stack_pointer");
  CHECK(region_at(snapshot, stack).details == "Thread ID: 7 (worker)");
}

TEST_CASE("an idle signal stack has the shape, is kept on a thread's stack, and holds nothing else") {
  Fake fake;
  FakeMemory& memory = fake.memory;
  memory.facts().target.page_size = page_bytes;
  const auto add = [&](Address at, std::size_t guard, std::size_t size) {
    memory.reserve(at, guard);
    memory.map(at + guard, size);
  };
  add(0x100000, page_bytes, 8192);
  add(0x200000, page_bytes, 12288);
  fake.thread(7, stack + 0x10000);
  ThreadStack listed;
  listed.range = {stack - page_bytes, stack + stack_size};
  listed.guard_size = page_bytes;
  listed.thread = 7;
  memory.facts().stacks.push_back(listed);
  memory.put_word(stack + stack_size - 0x800, 0x101000);
  const auto rule_at = [&](Address address) { return region_at(fake.judged(), address).rule; };
  SECTION("as it is") {
    CHECK(rule_at(0x101000) == "signal_stack_shape");
    CHECK(rule_at(0x100000) == "signal_stack_shape");
    CHECK(region_at(fake.judged(), 0x101000).details == "Thread ID: 7 (worker), likely an alternate signal stack");
    CHECK(rule_at(0x201000) == "private_anonymous");
  }
  SECTION("the size that the processor needs: 3 pages with AMX") {
    memory.put_word(stack + stack_size - 0x800, 0x201000);
    memory.facts().least_signal_stack = 11952;
    CHECK(rule_at(0x101000) == "private_anonymous");
    CHECK(rule_at(0x201000) == "signal_stack_shape");
  }
  SECTION("nobody keeps its address") {
    memory.put_word(stack + stack_size - 0x800, 0x101010);
    CHECK(rule_at(0x101000) == "private_anonymous");
  }
  SECTION("an address below the stack pointer is of a function that has returned") {
    memory.put_word(stack + stack_size - 0x800, 0);
    memory.put_word(stack + 0x8000, 0x101000);
    CHECK(rule_at(0x101000) == "private_anonymous");
  }
  SECTION("a chunk of an allocator, with its header behind the guard") {
    memory.put_word(0x101000, 0x7f0000000000);
    CHECK(rule_at(0x101000) == "private_anonymous");
  }
  SECTION("a handler has left a frame that names it: nobody need keep it") {
    memory.put_word(stack + stack_size - 0x800, 0);
    memory.put_word(0x102a00, 0x101000);
    memory.put_word(0x102a10, 8192);
    CHECK(rule_at(0x101000) == "signal_stack_shape");
    CHECK(region_at(fake.judged(), 0x101000).details == "likely an alternate signal stack");
    memory.put_word(0x102a10, 4096);
    CHECK(rule_at(0x101000) == "private_anonymous");
  }
  SECTION("a second one for the same thread is something else") {
    add(0x300000, page_bytes, 8192);
    memory.put_word(stack + stack_size - 0x700, 0x301000);
    CHECK(rule_at(0x101000) == "signal_stack_shape");
    CHECK(rule_at(0x301000) == "private_anonymous");
  }
  SECTION("two pages as a guard") {
    add(0x500000, 2 * page_bytes, 8192);
    memory.put_word(stack + stack_size - 0x800, 0x502000);
    CHECK(rule_at(0x502000) == "private_anonymous");
  }
}
