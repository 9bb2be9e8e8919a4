#include <catch2/catch.hpp>

#include "libvmscan/classify/build_snapshot.h"
#include "libvmscan/classify/stack_depth.h"
#include "tests/support/facts_text.h"

using namespace vmscan;

namespace {

constexpr std::uint64_t huge = 0x200000;
constexpr Range stack{0x600000, 0xa00000};  // two huge pages

/// A thread that waits, 0x1800 bytes deep, in pages that are all in RAM from `touched` on.
Facts facts_with(Address touched, std::vector<Address> pages) {
  Facts facts;
  facts.pages_known = true;
  facts.pages.append({touched, stack.end}, page::present | page::exclusive);
  facts.huge_pages = HugePages{.size = huge, .policy = HugePages::Policy::Always, .pages = std::move(pages)};
  facts.threads.push_back({.id = 7, .name = {}, .stack_pointer = stack.end - 0x1800});
  facts.stacks.push_back({.range = stack,
                          .guard_size = 0,
                          .owner = ThreadStack::Owner::Thread,
                          .thread = 7,
                          .given = false,
                          .library = "glibc"});
  return facts;
}

}  // namespace

TEST_CASE("a stack was used as deep as its lowest page, but a huge page does not tell") {
  CHECK(deepest_use(facts_with(stack.end - 0x3000, {}), stack, {}) == ", used 12 K deep");
  CHECK(deepest_use(facts_with(0x800000, {0x800000}), stack, {}) == ", 2048 K in RAM as a huge page: depth unknown");
  CHECK(deepest_use(facts_with(0x800000, {0x800000}), stack, stack.end - 0x1800) ==
        ", 2048 K in RAM as a huge page: depth unknown, 6 K in use now");
  // Small pages below a huge one were used one by one.
  CHECK(deepest_use(facts_with(0x7f0000, {0x800000}), stack, {}) == ", used 2112 K deep");
  CHECK(deepest_use(facts_with(stack.begin, {}), stack, {}) == ", used 4096 K deep");
}

TEST_CASE("where it is not known which pages are huge, a page that may be one is not said to be used") {
  Facts facts = facts_with(0x800000, {});
  facts.huge_pages->complete = false;
  CHECK(deepest_use(facts, stack, {}) == ", 2048 K in RAM, perhaps as a huge page: depth unknown");
  facts = facts_with(0x900000, {});
  facts.huge_pages->complete = false;
  CHECK(deepest_use(facts, stack, {}) == ", used 1024 K deep");
  facts.pages_known = false;
  CHECK(deepest_use(facts, stack, {}).empty());
}

TEST_CASE("huge pages behind a stack count with what the thread does not use of them now") {
  const auto found = huge_stacks_of(facts_with(stack.begin, {stack.begin, 0x800000}));
  REQUIRE(found);
  CHECK(found->stacks == 1);
  CHECK(found->pages == 2);
  CHECK(found->unused == 2 * huge - 0x2000);
  CHECK_FALSE(huge_stacks_of(facts_with(stack.begin, {})));
  Facts running = facts_with(stack.begin, {stack.begin});
  running.threads[0].stack_pointer.reset();
  CHECK_FALSE(huge_stacks_of(running));
  running.stacks[0].owner = ThreadStack::Owner::Ended;
  REQUIRE(huge_stacks_of(running));
  CHECK(huge_stacks_of(running)->unused == huge);
}

TEST_CASE("a stack in a block of malloc is named, and the region stays the heap's") {
  Facts facts = tests::facts_from_text(
      "100000-200000 rw-p 0 00:00 0 \n"
      "thread 7 150f00\n");
  facts.heaps.push_back({.range = {0x100000, 0x200000},
                         .kind = HeapPart::Kind::Block,
                         .details = "block of malloc",
                         .evidence = "a header"});
  facts.stacks.push_back({.range = {0x100010, 0x180010},
                          .guard_size = 0,
                          .owner = ThreadStack::Owner::Thread,
                          .thread = 7,
                          .given = true,
                          .library = "glibc"});
  const Snapshot snapshot = build_snapshot(facts);
  REQUIRE(snapshot.regions.size() == 1);
  CHECK(snapshot.regions[0].type == RegionType::Heap);
  CHECK(snapshot.regions[0].details == "block of malloc; stack of Thread ID: 7");
  CHECK(snapshot.regions[0].evidence == "a header; holds the stack of Thread ID: 7");
  REQUIRE(snapshot.regions[0].blocks.size() == 2);
  CHECK(snapshot.regions[0].blocks[0].details == "stack of Thread ID: 7");
  CHECK(snapshot.regions[0].blocks[1].details.empty());
}

TEST_CASE("the stack of a thread that no list has is found by its pointer, where nothing speaks against it") {
  std::string text =
      "100000-140000 rw-p 0 00:00 0 \n"
      "thread 7 13ff00\n";
  SECTION("found") {
    text += "pages 13f000-140000 px\n";
    const Snapshot snapshot = build_snapshot(tests::facts_from_text(text));
    CHECK(snapshot.regions[0].rule == "lone_stack");
    CHECK(snapshot.regions[0].details == "Thread ID: 7");
  }
  SECTION("nothing was written where its first frames would be") {
    const Snapshot snapshot = build_snapshot(tests::facts_from_text(text));
    CHECK(snapshot.regions[0].rule == "private_anonymous");
    CHECK(snapshot.regions[0].details == "stack of Thread ID: 7");
  }
  SECTION("it lies far below the end: the mapping holds more than a stack") {
    text = "100000-200000 rw-p 0 00:00 0 \npages 100000-200000 px\nthread 7 13ff00\n";
    const Snapshot snapshot = build_snapshot(tests::facts_from_text(text));
    CHECK(snapshot.regions[0].rule == "private_anonymous");
    CHECK(snapshot.regions[0].details == "stack of Thread ID: 7");
  }
  SECTION("not the main thread's, wherever that is at the moment") {
    Facts facts = tests::facts_from_text(text + "pages 13f000-140000 px\n");
    facts.target.pid = 7;
    CHECK(build_snapshot(facts).regions[0].rule == "private_anonymous");
  }
}
