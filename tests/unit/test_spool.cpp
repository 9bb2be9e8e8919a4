#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <random>
#include <vector>

#include "libvmscan/base/spool.h"

using namespace vmscan;

namespace {

std::string directory() { return std::filesystem::temp_directory_path().string(); }

}  // namespace

TEST_CASE("what comes in pieces of any size can be read anywhere, zeros too") {
  std::mt19937 random(1);
  std::vector<std::byte> all;
  auto spool = Spool::make(directory());
  REQUIRE(spool);
  for (int piece = 0; piece < 50; ++piece) {
    const auto value = piece % 3 == 0 ? std::byte{0} : static_cast<std::byte>(piece);
    const std::vector<std::byte> bytes(random() % 20'000, value);
    REQUIRE(spool->append(bytes));
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  const std::vector<std::byte> zeros(100'000);  // a hole at the end counts in the size
  REQUIRE(spool->append(zeros));
  all.insert(all.end(), zeros.begin(), zeros.end());
  const auto file = spool->finish();
  REQUIRE(file);
  CHECK(file->size == all.size());
  std::vector<std::byte> read(all.size());
  REQUIRE(file->read_whole(0, read));
  CHECK(read == all);
  std::vector<std::byte> part(100);
  REQUIRE(file->read_whole(12'345, part));
  CHECK(std::equal(part.begin(), part.end(), all.begin() + 12'345));
}

TEST_CASE("a spool has a limit, and a directory that is not there is an error") {
  auto spool = Spool::make(directory(), 1000);
  REQUIRE(spool);
  const std::vector<std::byte> bytes(600);
  CHECK(spool->append(bytes));
  REQUIRE_FALSE(spool->append(bytes));
  CHECK(Spool::make("/nonexistent").error().code == ErrorCode::Io);
}
