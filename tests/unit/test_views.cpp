#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "formats/views/views.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::formats;
using namespace vmscan::tests;
using Json = nlohmann::json;

namespace {

/// First cell of each row: type names of a summary.
std::string types_of(const Table& table) {
  std::string text;
  for (const Row& row : table.rows) text += (row.type ? std::string(name_of(*row.type)) : row.cells[0].text) + " ";
  return text;
}

std::vector<Address> addresses_of(const Table& table) {
  std::vector<Address> addresses;
  for (const Row& row : table.rows) addresses.push_back(*row.cells[0].number);
  return addresses;
}

SortOrder sort_by(View view, std::string_view text) { return *parse_sort(view, text); }

}  // namespace

TEST_CASE("the summary hides types of which there is nothing and ends with the total") {
  CHECK(types_of(summary_table(rich_snapshot(), {})) == "image heap stack page_table unusable free Total ");
  CHECK(types_of(summary_table(rich_snapshot(), {.hide_zero_rows = false})) ==
        "image mapped_file shareable heap managed_heap stack private_data page_table unusable free Total ");
}

TEST_CASE("what is unknown is not hidden") {
  Snapshot snapshot;
  snapshot.regions_known = false;
  CHECK(summary_table(snapshot, {}).rows.size() == 10);
}

TEST_CASE("the summary sorts its rows but never the total, which stays over everything") {
  ViewOptions options;
  options.sort = sort_by(View::Summary, "total_ws");
  options.top = 2;
  const Table table = summary_table(rich_snapshot(), options);
  CHECK(types_of(table) == "heap image Total ");
  CHECK(table.rows.back().cells[4].number == Bytes{0xc000});
  options.types = {RegionType::Stack};
  CHECK(types_of(summary_table(rich_snapshot(), options)) == "stack Total ");
}

TEST_CASE("unknown sorts last in both directions, equal rows keep their order") {
  Snapshot snapshot = rich_snapshot();
  snapshot.regions[2].usage.total_ws = Bytes{};
  ViewOptions options;
  options.sort = sort_by(View::Details, "total_ws:desc");
  CHECK(addresses_of(details_table(snapshot, options)) ==
        std::vector<Address>{0x400000, 0x7ffffffd0000, 0x600000, 0, 0x500000});
  options.sort = sort_by(View::Details, "total_ws:asc");
  CHECK(addresses_of(details_table(snapshot, options)) ==
        std::vector<Address>{0, 0x600000, 0x7ffffffd0000, 0x400000, 0x500000});
  options.sort = sort_by(View::Details, "type");
  CHECK(addresses_of(details_table(snapshot, options)) ==
        std::vector<Address>{0x400000, 0x500000, 0x600000, 0x7ffffffd0000, 0});
}

TEST_CASE("blocks stay under their region") {
  ViewOptions options;
  options.expand = true;
  options.sort = sort_by(View::Details, "address:desc");
  options.top = 2;
  CHECK(write_csv(details_table(rich_snapshot(), options)) ==
        "row,address,type,size,committed,private,total_ws,private_ws,shareable_ws,shared_ws,locked_ws,blocks,"
        "protection,details\n"
        "region,0x7ffffffd0000,stack,65536,61440,61440,8192,8192,0,0,0,2,Read/Write,Thread 43 worker\n"
        "block,0x7ffffffd0000,stack,4096,0,0,0,0,0,0,0,0,Reserved,Guard\n"
        "block,0x7ffffffd1000,stack,61440,61440,61440,8192,8192,0,0,0,0,Read/Write,\n"
        "region,0x600000,heap,4096,4096,4096,4096,0,4096,4096,0,1,Read/Write,\n"
        "block,0x600000,heap,4096,4096,4096,4096,0,4096,4096,0,0,Read/Write,\n");
  options.columns = *choose_columns(View::Details, "size");
  CHECK(write_table(details_table(rich_snapshot(), options), {.header = false}) ==
        "0x7ffffffd0000    64\n"
        "  0x7ffffffd0000   4\n"
        "  0x7ffffffd1000  60\n"
        "0x600000           4\n"
        "  0x600000         4\n");
}

TEST_CASE("an address shows its region and the neighbours") {
  ViewOptions options;
  options.address = 0x500fff;
  CHECK(addresses_of(details_table(rich_snapshot(), options)) == std::vector<Address>{0x400000, 0x500000, 0x600000});
  options.address = 0;
  CHECK(addresses_of(details_table(rich_snapshot(), options)) == std::vector<Address>{0, 0x400000});
  options.address = 0x7ffffffdffff;
  CHECK(addresses_of(details_table(rich_snapshot(), options)) == std::vector<Address>{0x600000, 0x7ffffffd0000});
}

TEST_CASE("an address in a hole shows the hole between its neighbours") {
  ViewOptions options;
  options.address = 0x404000;
  const Table table = details_table(rich_snapshot(), options);
  CHECK(addresses_of(table) == std::vector<Address>{0x400000, 0x404000, 0x500000});
  CHECK(table.rows[1].type == RegionType::Free);
  options.address = 0xffffffffff600000;
  CHECK(details_table(rich_snapshot(), options).rows.empty());
}

TEST_CASE("Free regions are shown when they are asked for") {
  CHECK(details_table(rich_snapshot(), {}).rows.size() == 5);
  CHECK(details_table(rich_snapshot(), {.free = true}).rows.size() == 10);
  CHECK(details_table(rich_snapshot(), {.types = {RegionType::Free}}).rows.size() == 5);
}

TEST_CASE("explain adds the rule and the evidence") {
  const Table table = details_table(rich_snapshot(), {.explain = true});
  REQUIRE(table.columns.size() == 15);
  CHECK(table.rows[1].cells[13].text == "elf_image");
  CHECK(table.rows[1].cells[14].text == "ELF header at 0x400000");
}

TEST_CASE("the summary document has every type and every column") {
  const Json document = Json::parse(summary_json(rich_snapshot(), {}));
  CHECK(document["schema"] == "vmscan.summary/1");
  REQUIRE(document["rows"].size() == 10);
  for (const Json& row : document["rows"]) {
    for (const UsageColumn& column : usage_columns) CHECK(row.contains(std::string(column.name)));
  }
  CHECK(document["rows"][3]["type"] == "heap");
  CHECK(document["rows"][3]["total_ws"] == 0x6000);
  CHECK(document["rows"][3]["pss"].is_null());
  CHECK(document["total"]["total_ws"] == 0xc000);
  CHECK(document["total"]["blocks"] == 7);
  CHECK(document["target"]["pid"] == 42);
  CHECK(document["limits"]["mappings"] == Json{{"used", 827}, {"limit", 65530}, {"unlimited", false}});
}

TEST_CASE("the details document has every column and the chosen regions") {
  ViewOptions options;
  options.types = {RegionType::Image, RegionType::Free};
  const Json document = Json::parse(details_json(rich_snapshot(), options));
  CHECK(document["schema"] == "vmscan.details/1");
  REQUIRE(document["regions"].size() == 6);
  const Json image = document["regions"][1];
  CHECK(image["address"] == "0x400000");
  CHECK(image["protection"] == "Execute/Read");
  CHECK(image["pss"].is_null());
  CHECK(image["blocks"].size() == 2);
  CHECK(image["blocks"][1]["protection"] == "Copy on write");
  CHECK(document["regions"][0]["type"] == "free");
  CHECK(document["regions"][0]["evidence"].is_null());
}

TEST_CASE("regions that are not known are null in the details document") {
  Snapshot snapshot;
  snapshot.regions_known = false;
  CHECK(Json::parse(details_json(snapshot, {}))["regions"].is_null());
}
