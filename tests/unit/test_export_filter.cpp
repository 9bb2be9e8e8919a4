// What an image does not export is told by its Bloom filter. Hashes and layout are those that binutils and glibc use.
#include "libvmscan/elf/export_filter.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "libvmscan/elf/elf_image.h"

using namespace vmscan;

namespace {

ReadAt from(const std::vector<char>& bytes) {
  return [&bytes](std::uint64_t offset, std::span<std::byte> out) -> std::size_t {
    if (offset >= bytes.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), bytes.size() - static_cast<std::size_t>(offset));
    std::memcpy(out.data(), bytes.data() + offset, count);
    return count;
  };
}

std::vector<char> c_library() {
  for (const char* path : {"/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/lib64/libm.so.6"}) {
    std::ifstream file(path, std::ios::binary);
    if (file) return {std::istreambuf_iterator<char>(file), {}};
  }
  return {};
}

}  // namespace

TEST_CASE("the hash of a symbol is the one of GNU's tables") {
  CHECK(gnu_symbol_hash("") == 0x1505);
  CHECK(gnu_symbol_hash("printf") == 0x156b2bb8);
  CHECK(gnu_symbol_hash("exit") == 0x7c967e3f);
  CHECK(gnu_symbol_hash("syscall") == 0xbac212a0);
}

TEST_CASE("what a library exports passes its filter, and most other names do not") {
  const std::vector<char> file = c_library();
  if (file.empty()) return;  // another system
  const auto image = read_elf_image(from(file), {.exports = true});
  REQUIRE(image.has_value());
  REQUIRE_FALSE(image->exports.words.empty());
  for (const char* name : {"sin", "cosf", "exp2", "fmaf", "lgamma_r", "nearbyint", "remquol"})
    CHECK(may_export(*image, name));
  int passed = 0;
  for (int i = 0; i < 1000; ++i) passed += may_export(*image, "no_such_function_" + std::to_string(i));
  CHECK(passed < 500);
  const auto without = read_elf_image(from(file), {});
  REQUIRE(without.has_value());
  CHECK(may_export(*without, "no_such_function"));  // nobody has looked
}

TEST_CASE("a filter that the file does not hold is unknown, however it is cut off") {
  std::vector<char> file = c_library();
  if (file.empty()) return;
  const auto whole = read_elf_image(from(file), {.exports = true});
  REQUIRE(whole.has_value());
  for (const std::size_t size :
       {file.size() - 1, file.size() / 2, std::size_t{8192}, std::size_t{2048}, std::size_t{900}}) {
    const std::vector<char> part(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    const auto image = read_elf_image(from(part), {.exports = true});
    INFO(size);
    if (image && !image->exports.words.empty()) CHECK(image->exports.words == whole->exports.words);
  }
}
