// Links that are noted while heaps are read are found again, as a map would find them.
#include "libvmscan/owners/allocators/glibc/noted_links.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

using namespace vmscan;

TEST_CASE("noted links are found by their chunk, and nothing else is") {
  std::mt19937_64 random(7);
  NotedLinks links;
  std::map<Address, PossibleLink> known;
  // Not in the order of their addresses; one is empty, one has a single link, one is dense.
  for (const auto& [begin, count] :
       {std::pair<Address, int>{0x7f0000000000, 3000}, {0x10000, 1}, {0x1000000, 0}, {0x2000000, 20000}}) {
    const Range heap{begin, begin + (4 << 20)};
    links.begin_stretch(heap);
    std::map<Address, PossibleLink> here;
    for (int i = 0; i < count; ++i) {
      const Address chunk = begin + random() % (heap.size() / 16) * 16;
      here[chunk] = {chunk, 16 * (2 + random() % 60), random()};
    }
    for (const auto& [chunk, link] : here) links.add(link);
    known.insert(here.begin(), here.end());
  }
  links.finish();
  for (Address at : {Address{0}, Address{0x10000 - 16}, Address{0x1000000}, Address{0x7f0000000000 + (4 << 20)}})
    if (!known.contains(at)) CHECK_FALSE(links.find(at));
  for (Address chunk = 0x2000000; chunk < 0x2400000; chunk += 8) {
    const auto found = links.find(chunk);
    const auto wanted = known.find(chunk);
    REQUIRE(found.has_value() == (wanted != known.end()));
  }
  for (const auto& [chunk, link] : known) {
    const auto found = links.find(chunk);
    REQUIRE(found);
    REQUIRE(found->size == link.size);
    REQUIRE(found->next == link.next);
  }
}

TEST_CASE("links of heaps that are read again are given up") {
  NotedLinks links;
  links.begin_stretch({0x1000, 0x2000});
  links.add({0x1000, 32, 1});
  const std::size_t before = links.stretches();
  links.begin_stretch({0x3000, 0x4000});
  links.add({0x3000, 32, 2});
  links.keep_stretches(before);
  links.begin_stretch({0x3000, 0x5000});
  links.add({0x4000, 48, 3});
  links.finish();
  CHECK(links.find(0x1000));
  CHECK_FALSE(links.find(0x3000));
  REQUIRE(links.find(0x4000));
  CHECK(links.find(0x4000)->size == 48);
}

TEST_CASE("links that were noted apart are found when they are put together") {
  NotedLinks all;
  for (const Address begin : {Address{0x10010}, Address{0x20030}, Address{0x7f0000000000}}) {
    NotedLinks links;
    links.begin_stretch({begin, begin + 0x1000000});
    links.add({begin, 32, begin + 1});
    links.add({begin + 0x100, 48, begin + 2});
    links.end_stretch(begin + 0x10020);
    all.append(std::move(links));
  }
  CHECK(all.stretches() == 3);
  all.finish();
  for (const Address begin : {Address{0x10010}, Address{0x20030}, Address{0x7f0000000000}}) {
    REQUIRE(all.find(begin));
    CHECK(all.find(begin)->next == begin + 1);
    REQUIRE(all.find(begin + 0x100));
    CHECK(all.find(begin + 0x100)->size == 48);
    CHECK_FALSE(all.find(begin + 0x10));
  }
}
