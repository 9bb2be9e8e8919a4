#include <catch2/catch.hpp>

#include "formats/files/compression.h"
#include "formats/native/snapshot_json.h"
#include "tests/unit/sample_snapshot.h"

using namespace vmscan;
using namespace vmscan::formats;
using namespace vmscan::tests;

TEST_CASE("frames that were appended unpack to a series; a cut last frame leaves the rest") {
  const std::string line = write_snapshot(rich_snapshot());
  const std::string frame = *pack_zstd(line);
  CHECK(frame == *pack_zstd(line));
  CHECK(compression_of(frame) == Compression::Zstd);
  CHECK(unpack(frame + frame, Compression::Zstd)->content == line + line);
  for (std::size_t length = 1; length < frame.size(); ++length) {
    CAPTURE(length);
    const auto cut = unpack(frame + frame.substr(0, length), Compression::Zstd);
    REQUIRE(cut);
    REQUIRE(cut->content.starts_with(line));
    REQUIRE(cut->notes.size() == 1);
    REQUIRE(cut->notes[0].code == "cut_frame");
    const bool all_there = cut->content == line + line;  // only the checksum is cut
    REQUIRE(Series::open(cut->content)->size() == (all_there ? 2 : 1));
  }
}

TEST_CASE("a file that unpacks to more than the limit is refused") {
  const std::string frame = *pack_zstd(std::string(std::size_t{16} << 20, 'x'));
  const auto unpacked = unpack(frame, Compression::Zstd, std::size_t{1} << 20);
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().code == ErrorCode::Unsupported);
  CHECK_THAT(unpacked.error().message, Catch::Contains("more than 1 MiB"));
}

TEST_CASE("where a torn frame begins is where the next may be put") {
  const std::string frame = *pack_zstd(write_snapshot(rich_snapshot()));
  CHECK(whole_frames(frame + frame) == 2 * frame.size());
  for (std::size_t length = 1; length < frame.size(); ++length)
    REQUIRE(whole_frames(frame + frame.substr(0, length)) == frame.size());
}
