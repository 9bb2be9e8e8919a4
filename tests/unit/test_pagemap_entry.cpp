#include <catch2/catch.hpp>

#include "libvmscan/source/linux/text/pagemap_entry.h"

using namespace vmscan;

namespace {

constexpr pagemap::Context anonymous{.anonymous = true}, file{}, shared{.shared = true},
    hugetlb{.shared = true, .hugetlb = true};

unsigned found(std::uint64_t entry, const pagemap::Context& context) { return pagemap::condition(entry, context); }

}  // namespace

TEST_CASE("an entry of pagemap says where its page is") {
  using namespace pagemap;
  CHECK(found(0, anonymous) == 0);
  CHECK(found(present | exclusive, anonymous) == (page::present | page::exclusive));
  CHECK(found(present | file_or_shared, file) == (page::present | page::file));
  CHECK(found(present | file_or_shared | exclusive, shared) == (page::present | page::file | page::exclusive));
  CHECK(found(swapped | 3, anonymous) == page::swapped);
}

TEST_CASE("markers in pagemap are not swap") {
  using namespace pagemap;
  CHECK(found(swapped | guard, anonymous) == page::guard);
  CHECK(found(swapped | 31, anonymous) == 0);
  CHECK(found(swapped, {.anonymous = true, .swap_possible = false}) == 0);
}

TEST_CASE("the zero page is known by its frame, and suspected without") {
  using namespace pagemap;
  const Context knows{.anonymous = true, .zero_page_frame = 77};
  CHECK(found(present | 77, knows) == 0);
  CHECK(found(present | 78, knows) == page::present);
  CHECK(found(present | exclusive | 77, knows) == (page::present | page::exclusive));
  CHECK(found(present, anonymous) == (page::present | maybe_zero));
  CHECK(found(present | file_or_shared, anonymous) == (page::present | page::file | maybe_zero));
}

TEST_CASE("special entries of shared mappings are left out, hugetlb pages are not") {
  using namespace pagemap;
  CHECK(found(present, shared) == 0);
  CHECK(found(present | exclusive, hugetlb) == (page::present | page::exclusive | page::hugetlb));
  CHECK(found(present, hugetlb) == (page::present | page::hugetlb));
}
