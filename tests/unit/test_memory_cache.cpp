#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "libvmscan/memory/memory_cache.h"
#include "tests/support/fake_memory.h"

using namespace vmscan;

namespace {

constexpr Address base = 0x100000;
constexpr std::uint64_t page_size = 4096;

/// Eight pages, of which the program has touched the first three and the fifth; each is full of its number.
tests::FakeMemory sparse_memory() {
  tests::FakeMemory memory;
  memory.map(base, 8 * page_size);
  for (std::uint64_t page = 0; page < 8; ++page)
    memory.fill(base + page * page_size, std::vector<std::byte>(page_size, static_cast<std::byte>(page + 1)));
  memory.facts().pages_known = true;
  memory.facts().pages.append({base, base + 3 * page_size}, page::present);
  memory.facts().pages.append({base + 4 * page_size, base + 5 * page_size}, page::present);
  return memory;
}

}  // namespace

TEST_CASE("pages that lie beside each other are read at once, and only once") {
  tests::FakeMemory memory = sparse_memory();
  const MemoryCache cache(memory, memory.facts());
  std::array<std::byte, 16> bytes{};
  for (std::uint64_t page = 0; page < 3; ++page) {
    REQUIRE(cache.read_whole(base + page * page_size + 100, bytes));
    CHECK(std::ranges::all_of(bytes, [&](std::byte each) { return each == static_cast<std::byte>(page + 1); }));
  }
  CHECK(memory.reads() == 1);
  REQUIRE(cache.read_whole(base + page_size - 8, bytes));
  CHECK(bytes[7] == std::byte{1});
  CHECK(bytes[8] == std::byte{2});
  CHECK(memory.reads() == 1);
}

TEST_CASE("a page that was not in RAM is read as far as it is asked for, each time") {
  tests::FakeMemory memory = sparse_memory();
  const MemoryCache cache(memory, memory.facts());
  std::array<std::byte, 16> bytes{};
  REQUIRE(cache.read_some(base + 3 * page_size, bytes) == 16U);
  CHECK(bytes[0] == std::byte{4});
  REQUIRE(cache.read_some(base + 3 * page_size, bytes) == 16U);
  CHECK(memory.reads() == 2);
}

TEST_CASE("what is kept and what is not is one read to who asks for both") {
  tests::FakeMemory memory = sparse_memory();
  const MemoryCache cache(memory, memory.facts());
  std::vector<std::byte> bytes(2 * page_size);
  REQUIRE(cache.read_whole(base + 4 * page_size, std::span(bytes).first(16)));
  REQUIRE(cache.read_whole(base + 4 * page_size, bytes));
  CHECK(bytes.front() == std::byte{5});
  CHECK(bytes.back() == std::byte{6});
}

TEST_CASE("a store of pages that is full begins anew") {
  PageStore store(32);
  for (Address page = 0; page < 100; ++page) {
    CHECK(store.find(page * page_size) == nullptr);
    std::fill_n(store.add(page * page_size), page_size, static_cast<std::byte>(page));
    REQUIRE(store.find(page * page_size) != nullptr);
    CHECK(store.find(page * page_size)[page_size - 1] == static_cast<std::byte>(page));
  }
  CHECK(store.find(0) == nullptr);
  REQUIRE(store.find(97 * page_size) != nullptr);
  CHECK(*store.find(97 * page_size) == std::byte{97});
}
