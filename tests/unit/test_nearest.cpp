#include <array>
#include <catch2/catch.hpp>

#include "libvmscan/base/nearest.h"

using namespace vmscan;

TEST_CASE("the edit distance counts insertions, deletions, replacements and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("summray", "summary") == 1);
}

TEST_CASE("the nearest name is suggested only when it is a plausible slip") {
  constexpr std::array<std::string_view, 4> names{"snapshot", "summary", "details", "diff"};
  CHECK(nearest("sumary", names) == "summary");
  CHECK(nearest("detials", names) == "details");
  CHECK(nearest("snap", names) == "snapshot");
  CHECK_FALSE(nearest("frobnicate", names));
  CHECK_FALSE(nearest("", names));
  CHECK_FALSE(nearest(std::string(1000, 'd'), names));
}
