#include <catch2/catch.hpp>

#include "libvmscan/source/linux/text/smaps_text.h"

using namespace vmscan;

namespace {

constexpr std::string_view text =
    "1000-5000 rw-p 00000000 00:00 0                          [heap]\n"
    "Size:                 16 kB\n"
    "KernelPageSize:        4 kB\n"
    "Rss:                  12 kB\n"
    "Pss:                   7 kB\n"
    "Pss_Dirty:             7 kB\n"
    "Shared_Clean:          1 kB\n"
    "Shared_Dirty:          2 kB\n"
    "Private_Clean:         4 kB\n"
    "Private_Dirty:         5 kB\n"
    "Referenced:            8 kB\n"
    "AnonHugePages:      2048 kB\n"
    "ShmemPmdMapped:     2048 kB\n"
    "Swap:                  4 kB\n"
    "SwapPss:               3 kB\n"
    "NewKeyOfTomorrow:     99 kB\n"
    "VmFlags: rd wr mr mw lo ac \n"
    "5000-6000 ---p 00000000 00:00 0 /a:b\n"
    "Rss:                   0 kB\n"
    "VmFlags: mr slo lov\n";

std::vector<SmapsEntry> parse(std::string_view input, std::size_t piece) {
  SmapsParser parser;
  for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) parser.feed(input.substr(0, piece));
  return parser.finish();
}

}  // namespace

TEST_CASE("smaps gives the same however it is cut into pieces") {
  const std::size_t piece = GENERATE(1U, 2U, 13U, 100U, 100000U);
  const auto entries = parse(text, piece);
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].range == Range{0x1000, 0x5000});
  const SmapsFacts& facts = *entries[0].facts;
  CHECK(facts.rss == Bytes{12 * 1024});
  CHECK(facts.pss == Bytes{7 * 1024});
  CHECK(facts.shared_pages == Bytes{3 * 1024});
  CHECK(facts.private_pages == Bytes{9 * 1024});
  CHECK(facts.dirty == Bytes{7 * 1024});
  CHECK(facts.referenced == Bytes{8 * 1024});
  CHECK(facts.huge == Bytes{4096 * 1024});
  CHECK(facts.swap == Bytes{4 * 1024});
  CHECK(facts.swap_pss == Bytes{3 * 1024});
  CHECK(facts.vm_locked);
}

TEST_CASE("what smaps does not print is unknown, and flags are whole words") {
  const auto entries = parse(text, 4096);
  REQUIRE(entries.size() == 2);
  CHECK(entries[1].facts->rss == Bytes{0});
  CHECK_FALSE(entries[1].facts->pss.known());
  CHECK_FALSE(entries[1].facts->swap.known());
  CHECK_FALSE(entries[1].facts->vm_locked);
}

TEST_CASE("a value of smaps that does not fit stays unknown") {
  const auto entries =
      parse("1000-2000 rw-p 0 00:00 0\nRss: 99999999999999999999 kB\nPss: 18446744073709551615 kB\nSwap: x kB\n", 4096);
  REQUIRE(entries.size() == 1);
  CHECK_FALSE(entries[0].facts->rss.known());
  CHECK_FALSE(entries[0].facts->pss.known());
  CHECK_FALSE(entries[0].facts->swap.known());
}

TEST_CASE("keys before the first mapping and after a broken one belong to nobody") {
  CHECK(parse("Rss: 4 kB\n", 64).empty());
  CHECK(parse("zz-2000 rw-p 0 00:00 0\nRss: 4 kB\n", 64).empty());
}
