#include <catch2/catch.hpp>

#include "libvmscan/diff/condition.h"

using namespace vmscan;

namespace {

std::string normal(std::string_view text) {
  const auto condition = parse_condition(text);
  INFO(text << ": " << (condition ? "" : condition.error().message));
  REQUIRE(condition);
  CHECK(parse_condition(to_string(*condition)) == *condition);
  return to_string(*condition);
}

std::string error(std::string_view text) {
  const auto condition = parse_condition(text);
  INFO(text);
  REQUIRE_FALSE(condition);
  CHECK(condition.error().code == ErrorCode::Malformed);
  CHECK(condition.error().message.find('\n') == std::string::npos);
  return condition.error().message;
}

}  // namespace

TEST_CASE("every form of a condition is read and written back in its normal form") {
  CHECK(normal("heap.private_ws > 512MiB") == "heap.private_ws > 512MiB");
  CHECK(normal("total.size>=1.5 GiB") == "total.size >= 1536MiB");
  CHECK(normal("stack.count > +20") == "stack.count > +20");
  CHECK(normal("stack.regions>20") == "stack.count > 20");
  CHECK(normal("heap.private>+1MiB") == "heap.private > +1MiB");
  CHECK(normal("heap.private > + 10 %") == "heap.private > +10%");
  CHECK(normal("heap.private > +2.50%") == "heap.private > +2.5%");
  CHECK(normal("heap.private > +0.0001%") == "heap.private > +0.0001%");
  CHECK(normal("total.private_ws > +max(1MiB,5%)") == "total.private_ws > +max(1MiB,5%)");
  CHECK(normal("total.private_ws > +MAX ( 5 % , 1024 KiB )") == "total.private_ws > +max(1MiB,5%)");
  CHECK(normal("heap.private_ws slope > 1MiB/h") == "heap.private_ws slope > 1MiB/h");
  CHECK(normal("heap.blocks SLOPE >= 3 / m") == "heap.blocks slope >= 3/min");
  CHECK(normal("  free.largest > 0  ") == "free.largest > 0");
}

TEST_CASE("what lives in the heaps can be asked for, also of one size") {
  CHECK(normal("heap.live > +1MiB") == "heap.live > +1MiB");
  CHECK(normal("heap.live [ 48 ] > +1MiB") == "heap.live[48] > +1MiB");
  CHECK(normal("Heap.Live_Blocks[48] > +1000") == "heap.live_blocks[48] > +1000");
  CHECK(normal("heap.live slope > 1MiB/h") == "heap.live slope > 1MiB/h");
  CHECK_THAT(error("stack.live > 1"), Catch::Contains("unknown column 'live'"));
  CHECK_THAT(error("heap.size[48] > 1"), Catch::Contains("only heap.live"));
  CHECK(normal("heap.live[ shop::Order ] > +1MiB") == "heap.live[shop::Order] > +1MiB");
  CHECK(normal("heap.live_blocks[Grid<int [3]>] > 20") == "heap.live_blocks[Grid<int [3]>] > 20");
  CHECK_THAT(error("heap.live[shop::Order > 1"), Catch::Contains("expected ']' behind a class"));
  CHECK_THAT(error("heap.live[a\x1b[2Jb]] > 1"), Catch::Contains("control character"));
  CHECK_THAT(error("heap.live[ ] > 1"), Catch::Contains("expected a size or a class"));
  CHECK_THAT(error("heap.live[48 > 1"), Catch::Contains("expected ']'"));
  CHECK_THAT(error("heap.live[1.5] > 1"), Catch::Contains("whole number"));
}

TEST_CASE("types and columns are known by VMMap's names, too") {
  CHECK(normal("Mapped File.Private-WS > 1K") == "mapped_file.private_ws > 1KiB");
  CHECK(normal("MappedFile.total_ws > 1k") == "mapped_file.total_ws > 1KiB");
  CHECK(normal("PRIVATE_DATA.SIZE > 1G") == "private_data.size > 1GiB");
}

TEST_CASE("sizes are exact multiples of 1024") {
  const auto amount = [](std::string_view limit) {
    return parse_condition("heap.size > " + std::string(limit)).value().amount;
  };
  CHECK(amount("1048576") == 1048576);
  CHECK(amount("7B") == 7);
  CHECK(amount("1K") == 1024);
  CHECK(amount("1kib") == 1024);
  CHECK(amount("2MiB") == 2097152);
  CHECK(amount("3G") == 3221225472);
  CHECK(amount("1TiB") == 1099511627776);
  CHECK(amount("0.5KiB") == 512);
  CHECK(amount("16777215TiB") == 16777215ULL << 40);
  CHECK(amount("18446744073709551614") == Bytes::max_value);
}

TEST_CASE("what is wrong with a condition is said with its column") {
  CHECK(error("") == "condition '', column 1: it begins with TYPE.COLUMN, such as heap.private_ws");
  CHECK(error("heap > 5.5") == "condition 'heap > 5.5', column 1: it begins with TYPE.COLUMN, such as heap.private_ws");
  CHECK(error("heep.size > 1") == "condition 'heep.size > 1', column 1: unknown type 'heep'; did you mean 'heap'?");
  CHECK(error("heap.privat_ws > 1") ==
        "condition 'heap.privat_ws > 1', column 6: unknown column 'privat_ws'; did you mean 'private_ws'?");
  CHECK(error("xyzzy.size > 1").find("there are image, mapped_file,") != std::string::npos);
  CHECK(error("heap.size < 1") == "condition 'heap.size < 1', column 11: expected '>' or '>='");
  CHECK(error("heap.size slop > 1").find("column 11: expected 'slope'") != std::string::npos);
  CHECK(error("heap.size >").find("column 12: expected a number") != std::string::npos);
  CHECK(error("heap.size > -1").find("column 13: expected a number") != std::string::npos);
  CHECK(error("heap.size > 1MB").find("column 14: KB, MB, GB and TB mean 1000 to some") != std::string::npos);
  CHECK(error("heap.size > 1furlong").find("unknown unit 'furlong'") != std::string::npos);
  CHECK(error("heap.size > 1MiB 2").find("column 18: nothing may follow") != std::string::npos);
  CHECK(error("heap.count > 1MiB").find("column 15: count is a number of things") != std::string::npos);
  CHECK(error("heap.count > 1.5").find("not a whole number") != std::string::npos);
  CHECK(error("heap.size > 0.1KiB").find("not a whole number of bytes") != std::string::npos);
  CHECK(error("heap.size > 1.00000MiB").find("at most four decimals") != std::string::npos);
  CHECK(error("heap.size > 1.MiB").find("expected a digit after the point") != std::string::npos);
  CHECK(error("heap.size > 10%").find("column 15: a percentage is a growth") != std::string::npos);
  CHECK(error("heap.size > max(1,5%)").find("column 13: expected a number") != std::string::npos);
  CHECK(error("heap.size > +max(1,5)").find("expected +max(AMOUNT,PERCENT%)") != std::string::npos);
  CHECK(error("heap.size > +max(1%,5%)").find("expected +max(AMOUNT,PERCENT%)") != std::string::npos);
  CHECK(error("heap.size > +max(1,5%").find("expected +max(AMOUNT,PERCENT%)") != std::string::npos);
  CHECK(error("heap.size slope > 5%/h").find("not a percentage") != std::string::npos);
  CHECK(error("heap.size slope > +5/h").find("without '+'") != std::string::npos);
  CHECK(error("heap.size slope > 5").find("a slope needs a time") != std::string::npos);
  CHECK(error("heap.size slope > 5/year").find("expected a time: s, min, h or d") != std::string::npos);
  CHECK(error(std::string(1000, 'x') + ".size > 1").find("too long") != std::string::npos);
}

TEST_CASE("a limit beyond 64 bits is an error, not a smaller limit") {
  CHECK(error("heap.size > 18446744073709551615").find("column 13: this number is too large") != std::string::npos);
  CHECK(error("heap.size > 99999999999999999999999").find("too large") != std::string::npos);
  CHECK(error("heap.size > 16777216TiB").find("column 13: this size is beyond 64 bits") != std::string::npos);
  CHECK(error("heap.size > +1000001%").find("at most 1000000%") != std::string::npos);
  CHECK(error("heap.size > +99999999999999999999%").find("too large") != std::string::npos);
}

TEST_CASE("a gate file holds one condition a line, with comments") {
  const auto gate =
      parse_gate_file("\xEF\xBB\xBF# the service\r\n\r\nheap.private > +1MiB  # leaks\r\n\ttotal.size > 1G");
  REQUIRE(gate);
  REQUIRE(gate->size() == 2);
  CHECK(to_string((*gate)[0]) == "heap.private > +1MiB");
  CHECK(to_string((*gate)[1]) == "total.size > 1GiB");
}

TEST_CASE("a bad line of a gate file is named, and a file without conditions is no gate") {
  const auto bad = parse_gate_file("heap.private > +1MiB\n\nheap.privat > 1");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.starts_with("line 3: condition 'heap.privat > 1', column 6: unknown column"));
  CHECK(parse_gate_file("").error().message == "no condition in it");
  CHECK(parse_gate_file("# nothing\n\n").error().message == "no condition in it");
  std::string many;
  for (std::size_t i = 0; i <= max_conditions; ++i) many += "heap.size > 1\n";
  CHECK(parse_gate_file(many).error().message == "line 1001: more than 1000 conditions");
}
