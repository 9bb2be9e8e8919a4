#include <catch2/catch.hpp>
#include <sstream>

#include "formats/views/table.h"
#include "formats/views/text.h"
#include "formats/views/views.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::formats;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::size_t widest(const std::string& text) {
  std::size_t width = 0;
  for (const std::string& line : lines_of(text)) width = std::max(width, display_width(line));
  return width;
}

Table small_table() {
  Table table;
  table.columns = {{"type", "Type", CellKind::Type}, {"size", "Size", CellKind::Size}, {"details", "Details"}};
  table.rows.push_back({Row::Kind::Top, RegionType::Heap, {{3, {}}, {1'234'567, {}}, {{}, "a,\"b\""}}, {}});
  table.rows[0].cells = {Cell{}, Cell{1'234'567, {}}, Cell{{}, "a,\"b\""}};
  table.rows.push_back({Row::Kind::Top, RegionType::Stack, {Cell{}, Cell{}, Cell{{}, "\x1b[31m"}}, {}});
  table.rows.push_back({Row::Kind::Total, {}, {Cell{{}, "Total"}, Cell{0, {}}, Cell{}}, {}});
  return table;
}

}  // namespace

TEST_CASE("sizes are rounded, but something is never shown as nothing") {
  CHECK(format_size(0, Units::K) == "0");
  CHECK(format_size(1, Units::K) == "1");
  CHECK(format_size(1024, Units::K) == "1");
  CHECK(format_size(1025, Units::K) == "2");
  CHECK(format_size(1'234'567, Units::K) == "1,206");
  CHECK(format_size(1'234'567, Units::B) == "1,234,567");
  CHECK(format_size(1, Units::M) == "<0.1");
  CHECK(format_size(52'428, Units::M) == "<0.1");
  CHECK(format_size(52'429, Units::M) == "0.1");  // half a tenth
  CHECK(format_size(1'048'575, Units::M) == "1.0");
  CHECK(format_size(1'288'490'189, Units::G) == "1.2");
  CHECK(format_size(0, Units::G) == "0.0");
  CHECK(format_size(Bytes::max_value, Units::M) == "17,592,186,044,416.0");
  CHECK(format_size(Bytes::max_value, Units::K) == "18,014,398,509,481,984");
  CHECK(format_size({}, Units::K) == "?");
  CHECK(format_count(65'530) == "65,530");
  CHECK(format_count({}) == "?");
}

TEST_CASE("automatic units show three or four digits") {
  CHECK(format_size(0, Units::Auto) == "0 B");
  CHECK(format_size(1023, Units::Auto) == "1023 B");
  CHECK(format_size(1024, Units::Auto) == "1.0 K");
  CHECK(format_size(1'258'291, Units::Auto) == "1.2 M");
  CHECK(format_size(832 * 1024, Units::Auto) == "832 K");
  CHECK(format_size(1024 * 1024 - 1, Units::Auto) == "1.0 M");
  CHECK(format_size(102'348, Units::Auto) == "99.9 K");
  CHECK(format_size(102'349, Units::Auto) == "100 K");
  CHECK(format_size(Bytes::max_value, Units::Auto) == "16.0 E");
}

TEST_CASE("parts of ten thousand round half up, however large the numbers are") {
  CHECK(ten_thousandths(1, 3) == 3333);
  CHECK(ten_thousandths(2, 3) == 6667);
  CHECK(ten_thousandths(1, 20'000) == 1);
  CHECK(ten_thousandths(1, 20'001) == 0);
  CHECK(ten_thousandths(7, 2) == 35'000);
  CHECK(ten_thousandths(std::uint64_t{1} << 62, std::uint64_t{1} << 63) == 5000);
  CHECK_FALSE(ten_thousandths(Bytes::max_value, 1));
}

TEST_CASE("a table aligns numbers to the right, leaves zeros empty and marks what is unknown") {
  CHECK(write_table(small_table(), {}) ==
        "Type    Size  Details\n"
        "Heap   1,206  a,\"b\"\n"
        "Stack      ?  \\x1b[31m\n"
        "Total\n");
  CHECK(lines_of(write_table(small_table(), {.header = false})).front() == "Heap   1,206  a,\"b\"");
}

TEST_CASE("with colour a type has a marker, and the text stays aligned") {
  const auto lines = lines_of(write_table(small_table(), {.color = true, .header = false}));
  CHECK(lines[0] == "\x1b[38;5;203m■\x1b[0m Heap   1,206  a,\"b\"");
  CHECK(lines[2] == "\x1b[1m  Total\x1b[0m");
}

TEST_CASE("CSV quotes by RFC 4180 and leaves unknown cells empty") {
  CHECK(write_csv(small_table()) ==
        "type,size,details\n"
        "heap,1234567,\"a,\"\"b\"\"\"\n"
        "stack,,\x1b[31m\n"
        "total,0,\n");
  Table table = small_table();
  table.group_name = "row";
  table.rows.resize(1);
  table.rows[0].group = "region";
  table.rows[0].cells[2].text = "two\r\nlines";
  CHECK(write_csv(table, false) == "region,heap,1234567,\"two\r\nlines\"\n");
}

TEST_CASE("details fit 80 and 200 columns, and say what was left out") {
  Snapshot snapshot = tests::rich_snapshot();
  snapshot.regions[1].details = "/usr/lib/x86_64-linux-gnu/a/very/long/path/to/a/library/libc.so.6";
  ViewOptions options;
  options.columns = *choose_columns(View::Details, "+swap,pss");
  const Table table = details_table(snapshot, options);
  std::vector<std::string> left_out;

  CHECK(widest(write_table(table, {.width = 200}, &left_out)) <= 200);
  CHECK(left_out.empty());

  const std::string narrow = write_table(table, {.width = 80}, &left_out);
  CHECK(widest(narrow) <= 80);
  REQUIRE(left_out.size() >= 4);
  CHECK(left_out[0] == "PSS");
  CHECK(left_out[1] == "Locked WS");
  CHECK(left_out[2] == "Swap");
  CHECK(left_out[3] == "Blocks");
  CHECK_THAT(narrow, Catch::Contains("/usr/…/"));
  CHECK_THAT(narrow, Catch::Contains("/libc.so.6\n"));
  for (const char* title : {"Address", "Type", "Size", "Committed", "Total WS", "Details"}) {
    CHECK_THAT(lines_of(narrow).front(), Catch::Contains(title));
  }
}

TEST_CASE("a column of which nothing is known makes room before any other") {
  Snapshot snapshot = tests::rich_snapshot();
  for (Region& region : snapshot.regions) {
    region.usage.total_ws = Bytes{};
    for (Block& block : region.blocks) block.usage.total_ws = Bytes{};
  }
  const Table table = details_table(snapshot, {});
  std::vector<std::string> left_out;
  write_table(table, {.width = 200}, &left_out);
  CHECK(left_out.empty());
  write_table(table, {.width = 80}, &left_out);
  REQUIRE_FALSE(left_out.empty());
  CHECK(left_out.front() == "Total WS");
}

TEST_CASE("columns that were asked for stay, the others make room") {
  const Table table = summary_table(tests::rich_snapshot(), {.columns = *choose_columns(View::Summary, "+swap,pss")});
  std::vector<std::string> left_out;
  const auto header = lines_of(write_table(table, {.width = 80, .asked = {"pss", "swap"}}, &left_out)).front();
  CHECK_THAT(header, Catch::Contains("PSS"));
  CHECK_THAT(header, Catch::Contains("Swap"));
  CHECK_FALSE(left_out.empty());
}

TEST_CASE("a total over more than the rows says so, but not in CSV") {
  ViewOptions options;
  options.types = {RegionType::Heap};
  const Table table = summary_table(tests::rich_snapshot(), options);
  CHECK(lines_of(write_table(table, {})).back().starts_with("All types"));
  CHECK_THAT(write_csv(table), Catch::Contains("\ntotal,"));
  CHECK(lines_of(write_table(summary_table(tests::rich_snapshot(), {}), {})).back().starts_with("Total"));
}

TEST_CASE("a long list of rules is shortened where the table would be a little too wide") {
  Table table;
  table.columns = {
      {"part", "Part", CellKind::Text}, {"bytes", "In RAM", CellKind::Size}, {"rules", "By", CellKind::Text}};
  Row row;
  row.cells = {Cell{{}, "Stacks"}, Cell{Bytes{8 << 20}, {}}, Cell{{}, "thread_list, main_stack"}};
  table.rows.push_back(row);
  const std::size_t full = widest(write_table(table, {}));
  for (std::size_t width = full - 6; width <= full; ++width)
    CHECK(widest(write_table(table, {.width = width})) <= width);
}

TEST_CASE("the important columns stay, however narrow the terminal is") {
  const Table table = details_table(tests::rich_snapshot(), {});
  const std::string header = lines_of(write_table(table, {.width = 1})).front();
  for (const char* title : {"Address", "Type", "Size", "Committed", "Total WS"}) {
    CHECK_THAT(header, Catch::Contains(title));
  }
  CHECK_THAT(header, !Catch::Contains("Private"));
}
