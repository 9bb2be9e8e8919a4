#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "libvmscan/strings/find_strings.h"
#include "libvmscan/strings/settle_strings.h"

using namespace vmscan;

namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::vector<std::string> texts(std::string_view data, const TextMaskOptions& options, std::size_t least) {
  std::vector<std::string> found;
  for (const FoundString& run : find_strings(bytes_of(data), options, least)) {
    std::string text(data.substr(run.offset, run.size));
    if (run.encoding == StringEncoding::Utf16le || run.encoding == StringEncoding::Utf16be) std::erase(text, '\0');
    found.push_back(text);
  }
  return found;
}

using Texts = std::vector<std::string>;
constexpr TextMaskOptions ascii_only{true, false, false, false}, wide_only{false, false, true, false}, usual{};

std::string random_bytes(std::size_t size, std::string_view alphabet) {
  std::mt19937 random(3);
  std::string data(size, '\0');
  for (char& byte : data) byte = alphabet.empty() ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
  return data;
}

/// The obvious way for one parity or for bytes.
Texts obvious(std::string_view data, std::size_t stride, std::size_t least) {
  std::vector<std::pair<std::size_t, std::string>> found;
  for (std::size_t parity = 0; parity < stride; ++parity) {
    std::string run;
    for (std::size_t i = parity; i <= data.size() + stride; i += stride) {
      const bool inside = i + stride <= data.size();
      const auto c = static_cast<unsigned char>(inside ? data[i] : '\n');
      const bool latin = stride == 2 && c >= 0xA0 && data[i + 1] == 0;
      const bool good = inside && (stride == 1 || data[i + 1] == 0) && (c == '\t' || (c >= ' ' && c <= '~') || latin);
      if (good) run += static_cast<char>(c);
      if (good) continue;
      if (run.size() >= least) found.emplace_back(i - run.size() * stride, run);
      run.clear();
    }
  }
  std::sort(found.begin(), found.end());
  Texts all;
  for (auto& [at, text] : found) all.push_back(text);
  return all;
}

}  // namespace

TEST_CASE("runs equal the obvious way over random and adversarial bytes, at every least length") {
  for (const std::string_view alphabet : {std::string_view(), std::string_view("a\0b", 3), std::string_view("ab\n"),
                                          std::string_view("x"), std::string_view("a\0\0\xE9", 4)})
    for (const std::size_t size : {0, 1, 2, 63, 64, 65, 127, 129, 1000, 20000})
      for (const std::size_t least : {1, 2, 3, 8, 16, 17, 40}) {
        const std::string data = random_bytes(size, alphabet);
        INFO("size " << size << ", least " << least);
        REQUIRE(texts(data, ascii_only, least) == obvious(data, 1, least));
        REQUIRE(texts(data, wide_only, least) == obvious(data, 2, least));
      }
}

TEST_CASE("no byte is in two strings, whatever the encodings") {
  for (const std::string_view alphabet :
       {std::string_view("ab\0", 3), std::string_view("a\0", 2), std::string_view("a\0\xC3\xA9", 4)})
    for (std::size_t least = 1; least < 5; ++least) {
      const std::string data = random_bytes(30000, alphabet);
      std::size_t end = 0;
      for (const FoundString& run : find_strings(bytes_of(data), {true, true, true, true}, least)) {
        REQUIRE(run.offset >= end);
        REQUIRE(run.characters >= least);
        end = run.offset + run.size;
        REQUIRE(end <= data.size());
      }
    }
}

TEST_CASE("a shared character goes to the longer string") {
  CHECK(texts(std::string_view("\1prog\0a\0b\0c\0\0", 14), usual, 3) == Texts{"prog", "abc"});
  CHECK(texts(std::string_view("\1abch\0e\0l\0l\0o\0\0", 16), usual, 3) == Texts{"abc", "hello"});
  CHECK(texts(std::string_view("\0\1h\0e\0l\0l\0o\0\0", 13), {true, true, true, true}, 3) == Texts{"hello"});
}

TEST_CASE("characters count, not bytes") {
  CHECK(texts("\1\xC3\xA9t\1", usual, 3).empty());
  CHECK(texts("\1\xC3\xA9t\xC3\xA9\1", usual, 3) == Texts{"\xC3\xA9t\xC3\xA9"});
}

TEST_CASE("the quick way finds, and counts, what the slow one finds") {
  const std::string_view alphabets[] = {{},
                                        {"ab\0", 3},
                                        {"a\0", 2},
                                        {"aaaa\0", 5},
                                        {"abc\n\0\0", 6},
                                        {"a\0\xC3\xA9", 4},
                                        {"a\xC3\xA9\xC3\xA9\0\0", 7},
                                        {"a\xE2\x82\xAC\xB0\0", 6},
                                        {"abcdefgh\xC2\xB0\0", 11}};
  std::vector<FoundString> slow, quick;
  InnerStrings found, counted;
  for (const std::string_view alphabet : alphabets)
    for (const std::size_t size : {2, 9, 64, 65, 127, 200, 3000, 30000})
      for (const std::size_t least : {2, 3, 4, 5, 8, 15, 16, 17, 33})
        for (const TextMaskOptions& options :
             {usual, ascii_only, wide_only, TextMaskOptions{true, false, true, false}}) {
          const std::string data = random_bytes(size, alphabet);
          TextMasks masks;
          fill_text_masks(bytes_of(data), options, masks);
          settle_strings(masks, size, least, slow);
          StringFinder finder(options, least);
          finder.find(bytes_of(data), quick);
          INFO("size " << size << ", least " << least);
          REQUIRE(quick == slow);
          finder.find_inner(bytes_of(data), found);
          finder.count_inner(bytes_of(data), counted);
          REQUIRE(counted.count == found.strings.size());
          REQUIRE(counted.begin == found.begin);
          REQUIRE(counted.end == found.end);
        }
}
