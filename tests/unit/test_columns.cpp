#include <catch2/catch.hpp>

#include "formats/views/columns.h"

using namespace vmscan;
using namespace vmscan::formats;

namespace {

std::string names(const std::vector<const Column*>& columns) {
  std::string text;
  for (const Column* column : columns) text += (text.empty() ? "" : " ") + std::string(column->name);
  return text;
}

std::string chosen(View view, std::string_view choice) {
  const auto columns = choose_columns(view, choice);
  return columns ? names(*columns) : "error: " + columns.error().message;
}

}  // namespace

TEST_CASE("the default columns are VMMap's, in its order") {
  CHECK(names(default_columns(View::Summary)) ==
        "type size committed private total_ws private_ws shareable_ws shared_ws locked_ws blocks largest");
  CHECK(names(default_columns(View::Details)) ==
        "address type size committed private total_ws private_ws shareable_ws shared_ws locked_ws blocks protection "
        "details");
}

TEST_CASE("columns are chosen exactly, added and taken away") {
  CHECK(chosen(View::Summary, "total_ws,size") == "type total_ws size");
  CHECK(chosen(View::Summary, "Total WS,SIZE,total-ws") == "type total_ws size");
  CHECK(chosen(View::Details, "size,address") == "address size");
  CHECK(chosen(View::Summary, "+pss,swap") ==
        "type size committed private total_ws private_ws shareable_ws shared_ws locked_ws swap pss blocks largest");
  CHECK(chosen(View::Summary, "-type,largest,blocks,locked_ws,shared_ws,shareable_ws") ==
        "type size committed private total_ws private_ws");
  CHECK(chosen(View::Summary, "-largest,blocks,+swap_pss,-private") ==
        "type size committed total_ws private_ws shareable_ws shared_ws locked_ws swap_pss");
  CHECK(chosen(View::Summary, "") == names(default_columns(View::Summary)));
}

TEST_CASE("an unknown column is refused with the nearest one that exists") {
  CHECK(chosen(View::Summary, "size,comitted") == "error: unknown column 'comitted'; did you mean 'committed'?");
  CHECK_THAT(chosen(View::Summary, "details"), Catch::Contains("there are type, size"));
  CHECK_THAT(chosen(View::Summary, "size,,type"), Catch::Contains("unknown column ''"));
  CHECK_THAT(chosen(View::Summary, "\x1b[31m"), Catch::Contains("'\\x1b[31m'"));
}

TEST_CASE("numbers sort descending and texts ascending when not told") {
  const auto size = parse_sort(View::Details, "size");
  REQUIRE(size);
  CHECK(size->column->name == "size");
  CHECK(size->descending);
  CHECK_FALSE(parse_sort(View::Details, "details")->descending);
  CHECK_FALSE(parse_sort(View::Details, "address")->descending);
  CHECK_FALSE(parse_sort(View::Details, "size:asc")->descending);
  CHECK(parse_sort(View::Details, "details:DESC")->descending);
  CHECK_FALSE(parse_sort(View::Details, "size:up"));
  CHECK_FALSE(parse_sort(View::Details, ""));
}
