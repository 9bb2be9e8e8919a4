// VMMap's CSV, TXT and .mmp. The input is written by hand after what is known of real files.
#include <catch2/catch.hpp>

#include <algorithm>

#include "formats/files/convert.h"
#include "formats/files/recognise.h"
#include "formats/files/snapshot_file.h"
#include "formats/native/snapshot_json.h"
#include "formats/vmmap/mmp.h"
#include "formats/vmmap/vmmap_cells.h"
#include "formats/vmmap/vmmap_text.h"
#include "libvmscan/model/laws.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::formats;
using namespace vmscan::tests;

namespace {

const std::vector<std::string> csv_lines{
    R"row("Process:","name.exe")row",
    R"row("PID:","1234")row",
    "",
    R"row("Type","Size","Committed","Private","Total WS","Private WS","Shareable WS","Shared WS","Locked WS","Blocks","Largest",)row",
    R"row("Total","1,452","1,384","1,084","1,028","1,020","8","8","","5","1,024")row",
    R"row("Image","100","100","40","8","","8","8","","2","100")row",
    R"row("Heap","1,024","1,024","1,024","1,000","1,000","","","","1","1,024")row",
    R"row("Stack","320","252","12","12","12","","","","2","320")row",
    R"row("Page Table","8","8","8","8","8","","","","1","8")row",
    R"row("Unusable","","","","","","","","","","")row",
    R"row("Free","2,095,700","","","","","","","","","2,000,000")row",
    "",
    R"row("Address","Type","Size","Committed","Private","Total WS","Private WS","Shareable WS","Shared WS","Locked WS","Blocks","Protection","Details",)row",
    R"row("00010000","Heap (Private Data)","1,024","1,024","1,024","1,000","1,000","","","","1","Read/Write","Heap ID: 1 [LOW FRAGMENTATION]")row",
    R"row("  00010000","Heap (Private Data)","1,024","1,024","1,024","1,000","1,000","","","","","Read/Write","")row",
    R"row("00200000","Thread Stack","320","252","12","12","12","","","","2","Read/Write/Guard","Thread ID: 2508")row",
    R"row("  00200000","Thread Stack","68","","","","","","","","","Reserved","")row",
    R"row("  00211000","Thread Stack","252","252","12","12","12","","","","","Read/Write/Guard","")row",
    R"row("00400000","Image (ASLR)","100","100","40","8","","8","8","","2","Copy on write","C:\x\name.exe")row",
    R"row("  00400000","Image (ASLR)","60","60","","8","","8","8","","","Execute/Read",".text")row",
    R"row("  0040F000","Image (ASLR)","40","40","40","","","","","","","Copy on write",".data")row",
};

std::string joined(const std::vector<std::string>& lines, std::string_view end) {
  std::string text;
  for (const std::string& line : lines) text.append(line).append(end);
  return text;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

bool has_note(const Snapshot& snapshot, std::string_view code) {
  return std::any_of(snapshot.notes.begin(), snapshot.notes.end(), [&](const Note& note) { return note.code == code; });
}

void check_sample(const Snapshot& snapshot) {
  CHECK(broken_laws(snapshot).empty());
  CHECK(snapshot.target.name == "name.exe");
  CHECK(snapshot.target.pid == 1234U);
  CHECK(snapshot.target.pointer_bits == 32U);
  CHECK(snapshot.page_table == 8192U);
  REQUIRE(snapshot.regions.size() == 3);
  const Region &heap = snapshot.regions[0], &stack = snapshot.regions[1], &image = snapshot.regions[2];
  CHECK(heap.type == RegionType::Heap);
  CHECK(heap.details == "Heap ID: 1 [LOW FRAGMENTATION]");
  CHECK(heap.usage.total_ws == 1000U * 1024);
  CHECK(heap.usage.shared_ws == 0U);
  CHECK_FALSE(heap.usage.swap.known());
  CHECK(stack.type == RegionType::Stack);
  REQUIRE(stack.blocks.size() == 2);
  CHECK(stack.blocks[0].state == State::Reserved);
  CHECK(stack.blocks[1].protection->guard);
  CHECK(image.type == RegionType::Image);
  CHECK(image.evidence == "Image (ASLR)");
  CHECK(image.range == Range{0x400000, 0x419000});
  CHECK(image.blocks[1].details == ".data");
}

Snapshot with_heap_ids(Snapshot snapshot) {
  std::uint64_t number = 0;
  for (Region& region : snapshot.regions)
    if (region.type == RegionType::Heap) region.details = "Heap ID: " + std::to_string(++number);
  return snapshot;
}

/// What VMMap's formats hold of a region.
void check_same_regions(const Snapshot& a, const Snapshot& b, std::size_t columns) {
  REQUIRE(a.regions.size() == b.regions.size());
  CHECK(a.address_space == b.address_space);
  CHECK(a.page_table == b.page_table);
  for (std::size_t i = 0; i < a.regions.size(); ++i) {
    const Region &left = a.regions[i], &right = b.regions[i];
    CAPTURE(i);
    CHECK(left.range == right.range);
    CHECK(left.type == right.type);
    CHECK(left.details == right.details);
    REQUIRE(left.blocks.size() == right.blocks.size());
    for (std::size_t k = 0; k < left.blocks.size(); ++k) {
      CHECK(left.blocks[k].range == right.blocks[k].range);
      CHECK(left.blocks[k].state == right.blocks[k].state);
      CHECK(left.blocks[k].protection == right.blocks[k].protection);
      CHECK(left.blocks[k].details == right.blocks[k].details);
      for (std::size_t c = 0; c < columns; ++c) {
        const auto member = usage_columns[c].member;
        CHECK(left.blocks[k].usage.*member == right.blocks[k].usage.*member);
      }
    }
  }
}

const std::string mmp_text = R"xml(<?xml version="1.0"?>
<root>
<Snapshots>
<Snapshot Timestamp="133000000000000000" PageTableSize="4096">
<MemoryRegions>
<Region Address="65536" Blocks="1" ShareableWS="0" SharedWS="0" Size="8192" Commit="8192" PrivateBytes="8192" PrivateWS="4096" Id="7" Protection="4" Storage="3" UseType="1" Type="Thread Stack" Details="Thread ID: 7">
<Region Address="65536" Blocks="0" ShareableWS="0" SharedWS="0" Size="8192" Commit="8192" PrivateBytes="8192" PrivateWS="4096" Id="7" Protection="4" Storage="3" UseType="1" Type="Thread Stack" Details=""/>
</Region>
<Region Address="73728" Blocks="1" ShareableWS="0" SharedWS="0" Size="4096" Commit="0" PrivateBytes="0" PrivateWS="0" Id="0" Protection="0" Storage="0" UseType="6" Type="Free" Details=""/>
</MemoryRegions>
</Snapshot>
<Snapshot Timestamp="133000000600000000" PageTableSize="8192">
<MemoryRegions>
<Region address="65536" size="4096" COMMIT="4096" UseType="4"/>
</MemoryRegions>
</Snapshot>
</Snapshots>
</root>
)xml";

}  // namespace

TEST_CASE("VMMap's CSV is read as VMMap writes it, and with other line ends and separators") {
  const std::string original = joined(csv_lines, "\r\r\n");
  CHECK(recognise(original) == FileKind::VmmapCsv);
  for (const std::string_view end : {"\r\r\n", "\r\n", "\n"}) {
    const auto snapshot = read_vmmap_csv(joined(csv_lines, end));
    REQUIRE(snapshot);
    check_sample(*snapshot);
    CHECK(snapshot->notes.empty());
  }
  for (const std::string_view other : {"\";\"", "\"\t\""}) {
    const std::string text = replaced(replaced(original, "\",\"", other), "\",\r", std::string{'"', other[1], '\r'});
    CHECK(recognise(text) == FileKind::VmmapCsv);
    const auto snapshot = read_vmmap_csv(text);
    REQUIRE(snapshot);
    check_sample(*snapshot);
  }
  for (const std::string_view thousands : {"1.024",
                                           "1\xA0"
                                           "024",
                                           "1 024", "1'024", "1024", "1,024 K", "1048576 bytes"}) {
    CAPTURE(thousands);
    const auto snapshot = read_vmmap_csv(replaced(original, "1,024", thousands));
    REQUIRE(snapshot);
    CHECK(snapshot->regions[0].range.size() == 1024 * 1024);
  }
}

TEST_CASE("sizes of VMMap's cells") {
  CHECK(parse_vmmap_size("") == 0U);
  CHECK(parse_vmmap_size("1,234,567") == 1234567U * 1024);
  CHECK(parse_vmmap_size("12.5") == 12U * 1024 + 512);
  CHECK(parse_vmmap_size("12 bytes") == 12U);
  for (const char* bad : {"x", "-1", "1,23,456", "18446744073709551615", "99999999999999999999", "1 parsec", "1,,2"})
    CHECK_FALSE(parse_vmmap_size(bad));
}

TEST_CASE("a CSV of VMMap that was cut anywhere is an error, or has a note, or is whole") {
  const std::string whole = joined(csv_lines, "\r\r\n");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    const auto snapshot = read_vmmap_csv(std::string_view(whole).substr(0, length));
    if (!snapshot) continue;
    REQUIRE(broken_structure(*snapshot).empty());
    const bool only_end_cut = length + 3 >= whole.size();
    REQUIRE((only_end_cut || !snapshot->notes.empty()));
  }
}

TEST_CASE("broken rows of a CSV are left out with a note, and the rest stands") {
  auto lines = csv_lines;
  lines.insert(lines.begin() + 15, "\"00150000\",\"Heap (Private Data)\"");
  lines.push_back(R"row("00400000","Private Data","4","4","4","","","","","","1","Read/Write","")row");
  lines.push_back(R"row("00500000","Wonder","4","x","4","","","","","","1","Magic","")row");
  lines.push_back(R"row("FFFFFFFFFFFFFFFF","Image","4","4","4","","","","","","1","Read","")row");
  const auto snapshot = read_vmmap_csv(joined(lines, "\n"));
  REQUIRE(snapshot);
  CHECK(broken_structure(*snapshot).empty());
  CHECK(snapshot->regions.size() == 4);
  for (const char* code : {"bad_row", "overlapping_regions", "unknown_type", "bad_number", "unknown_protection"}) {
    CAPTURE(code);
    CHECK(has_note(*snapshot, code));
  }
}

TEST_CASE("native to VMMap's CSV, TXT and .mmp and back keeps what these hold") {
  const Snapshot snapshot = with_heap_ids(rich_snapshot());
  const std::string csv = write_vmmap_csv(snapshot), txt = write_vmmap_txt(snapshot);
  const std::string mmp = write_mmp(std::span(&snapshot, 1));
  CHECK(recognise(csv) == FileKind::VmmapCsv);
  CHECK(recognise(txt) == FileKind::VmmapText);
  CHECK(recognise(mmp) == FileKind::Mmp);
  const auto from_csv = read_vmmap_csv(csv), from_txt = read_vmmap_txt(txt);
  const auto from_mmp = read_mmp(mmp);
  REQUIRE(from_csv);
  REQUIRE(from_txt);
  REQUIRE(from_mmp);
  for (const Snapshot& again : {*from_csv, *from_txt, from_mmp->snapshots.at(0)}) {
    CHECK(broken_laws(again).empty());
    CHECK(again.notes.empty());
  }
  check_same_regions(snapshot, *from_csv, 7);
  check_same_regions(snapshot, *from_txt, 7);
  check_same_regions(snapshot, from_mmp->snapshots.at(0), 6);
  CHECK(from_csv->target.pid == snapshot.target.pid);
  CHECK(from_mmp->snapshots.at(0).captured_at_unix_ms == snapshot.captured_at_unix_ms);
  CHECK(write_vmmap_csv(*from_csv) == csv);
  CHECK(write_vmmap_txt(*from_txt) == txt);
  CHECK(write_mmp(from_mmp->snapshots) == mmp);
}

TEST_CASE("names and details that look like the head of a table are read back as what they are") {
  Snapshot snapshot = rich_snapshot();
  snapshot.target.name = "a  Type  Size  Private  b";
  snapshot.regions[1].details = "c  Type  Size  Committed  Address";
  const auto from_csv = read_vmmap_csv(write_vmmap_csv(snapshot)), from_txt = read_vmmap_txt(write_vmmap_txt(snapshot));
  for (const auto* again : {&from_csv, &from_txt}) {
    REQUIRE(*again);
    CHECK((*again)->target.name == snapshot.target.name);
    CHECK((*again)->regions.size() == snapshot.regions.size());
    CHECK((*again)->regions[1].details == snapshot.regions[1].details);
  }
}

TEST_CASE("a .mmp is read by names in any case; what is not there is unknown; the last snapshot is the current one") {
  const auto file = read_mmp(mmp_text);
  REQUIRE(file);
  REQUIRE(file->snapshots.size() == 2);
  CHECK_FALSE(file->has_unknown_parts);
  const Snapshot &first = file->snapshots[0], &second = file->snapshots[1];
  CHECK(first.captured_at_unix_ms == 133000000000000000 / 10000 - 11644473600000);
  REQUIRE(first.regions.size() == 1);
  CHECK(first.regions[0].type == RegionType::Stack);
  CHECK(first.regions[0].blocks[0].protection == Protection{.read = true, .write = true});
  CHECK(first.regions[0].usage.total_ws == 4096U);
  CHECK_FALSE(first.regions[0].usage.locked_ws.known());
  CHECK(first.address_space == Range{65536, 77824});
  CHECK(second.regions[0].type == RegionType::PrivateData);
  CHECK_FALSE(second.regions[0].usage.total_ws.known());
  CHECK(second.page_table == 8192U);
}

TEST_CASE("a .mmp with more than is known is kept by rewriting it") {
  const std::string text =
      replaced(mmp_text, "<Region address", "<Mystery a=\"1\"><b/></Mystery><Region New=\"5\" address");
  const auto file = read_mmp(text);
  REQUIRE(file);
  CHECK(file->has_unknown_parts);
  CHECK(has_note(file->snapshots.back(), "unknown_parts"));
  const auto again = rewrite_mmp(text);
  REQUIRE(again);
  CHECK_THAT(*again, Catch::Contains("<Mystery a=\"1\">") && Catch::Contains("New=\"5\""));
  CHECK(rewrite_mmp(*again) == *again);
}

TEST_CASE("a document type, entities and other documents are refused") {
  const std::string bomb =
      "<?xml version=\"1.0\"?><!DOCTYPE root [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>"
      "<root><Snapshots><Snapshot><MemoryRegions><Region Details=\"&b;\"/>"
      "</MemoryRegions></Snapshot></Snapshots></root>";
  for (const std::string& text :
       {bomb, replaced(mmp_text, "<root>", "<!DOCTYPE root SYSTEM \"file:///etc/passwd\"><root>"),
        std::string("<root><Other/></root>"), std::string("<a>")}) {
    CAPTURE(text);
    CHECK_FALSE(read_mmp(text));
    CHECK(rewrite_mmp(text).has_value() == (text.find("<Other") != std::string::npos));
  }
}

TEST_CASE("a .mmp that was cut anywhere is an error or has a note") {
  for (std::size_t length = 0; length + 1 < mmp_text.size(); ++length) {
    CAPTURE(length);
    const auto file = read_mmp(std::string_view(mmp_text).substr(0, length));
    if (file) REQUIRE(has_note(file->snapshots.back(), "cut_file"));
  }
}

TEST_CASE("a long file of any kind cut at a thousand places is an error, or holds whole regions") {
  const Snapshot whole = long_snapshot(120);
  for (const FileFormat format : {FileFormat::Native, FileFormat::Mmp, FileFormat::VmmapCsv, FileFormat::VmmapTxt}) {
    CAPTURE(name_of(format).name);
    const std::string text = convert(std::span(&whole, 1), format).parts.at(0);
    for (std::size_t i = 0; i < 1000; ++i) {
      CAPTURE(i);
      const auto file = SnapshotFile::open(text.substr(0, text.size() * i / 1000), *name_of(format).reads);
      if (!file) continue;
      const auto snapshot = file->at(file->size() - 1);
      if (!snapshot) continue;
      REQUIRE(broken_structure(*snapshot).empty());
      REQUIRE(snapshot->regions.size() <= whole.regions.size());
      REQUIRE_FALSE(snapshot->notes.empty());
    }
  }
}

TEST_CASE("a name tells the format, as VMMap has it") {
  CHECK(format_of_name("a.json") == FileFormat::Native);
  CHECK(format_of_name("a.jsonl.zst") == FileFormat::Native);
  CHECK(format_of_name("dir.x/a") == FileFormat::Mmp);
  CHECK(format_of_name("a.CSV") == FileFormat::VmmapCsv);
  CHECK(format_of_name("a.txt") == FileFormat::VmmapTxt);
  CHECK_FALSE(format_of_name("a.xlsx"));
}
