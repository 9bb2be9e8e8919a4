#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "libvmscan/strings/printable.h"
#include "libvmscan/strings/text_masks.h"

using namespace vmscan;

namespace {

using Data = std::vector<std::uint8_t>;

/// Every kernel must say, bit for bit, what the byte-by-byte one says.
void check_kernels(const Data& data) {
  for (unsigned choice = 1; choice < 16; ++choice) {
    const TextMaskOptions options{(choice & 1) != 0, (choice & 2) != 0, (choice & 4) != 0, (choice & 8) != 0};
    TextMasks expected;
    kernels::scalar.fill(data, options, expected);
    for (const TextMaskKernel& kernel : text_mask_kernels()) {
      TextMasks masks{{7}, {7}, {7}, {7}};  // left from another scan
      kernel.fill(data, options, masks);
      INFO(kernel.name << ", " << data.size() << " bytes, options " << choice);
      REQUIRE(masks.text == expected.text);
      REQUIRE(masks.inner == expected.inner);
      REQUIRE(masks.wide_le == expected.wide_le);
      REQUIRE(masks.wide_be == expected.wide_be);
    }
  }
}

bool bit(const std::vector<std::uint64_t>& mask, std::size_t i) {
  return i / 64 < mask.size() && (mask[i / 64] >> i % 64 & 1) != 0;
}

/// Runs of both kinds, one by one; `shared_at` has those of UTF-16LE that begin with the last of enough bytes of text.
RunCount count_obviously(const TextMasks& masks, std::size_t size, std::size_t least,
                         std::vector<std::size_t>& shared_at) {
  RunCount runs;
  shared_at.clear();
  for (std::size_t i = 0, characters = 0, bytes = 0; i <= size; ++i) {
    std::size_t wide = 0;
    while ((i < 2 || !bit(masks.wide_le, i - 2)) && bit(masks.wide_le, i + 2 * wide)) ++wide;
    const bool text = bit(masks.text, i);
    if (wide >= least && text && bytes + 1 >= least) shared_at.push_back(i);
    runs.found += wide >= least ? 1 : 0;
    runs.found += !text && characters >= least ? 1 : 0;
    characters = text ? characters + (bit(masks.inner, i) ? 0 : 1) : 0;
    bytes = text ? bytes + 1 : 0;
  }
  return runs;
}

void check_counts(const Data& data) {
  TextMasks masks;
  std::vector<std::size_t> expected_at, room(data.size());
  for (unsigned choice = 1; choice < 8; ++choice)
    for (const std::size_t least : {2, 3, 4, 8, 15, 16}) {
      const TextMaskOptions options{(choice & 1) != 0, (choice & 2) != 0, (choice & 4) != 0, false};
      kernels::scalar.fill(data, options, masks);
      const RunCount expected = count_obviously(masks, data.size(), least, expected_at);
      for (const TextMaskKernel& kernel : text_mask_kernels()) {
        INFO(kernel.name << ", " << data.size() << " bytes, options " << choice << ", least " << least);
        RunCount runs;
        runs.shared_at = room;
        kernel.count(data, 0, options, least, runs);
        REQUIRE(runs.found == expected.found);
        REQUIRE(runs.shared == expected_at.size());
        REQUIRE(std::equal(expected_at.begin(), expected_at.end(), room.begin()));
      }
    }
}

Data random_from(std::mt19937& random, std::size_t size, const Data& alphabet) {
  Data data(size);
  for (std::uint8_t& byte : data)
    byte = alphabet.empty() ? static_cast<std::uint8_t>(random()) : alphabet[random() % alphabet.size()];
  return data;
}

}  // namespace

TEST_CASE("vector kernels equal the scalar one on random bytes of every length") {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 300; ++size) check_kernels(random_from(random, size, {}));
  check_kernels(random_from(random, 100'000, {}));
}

TEST_CASE("vector kernels equal the scalar one on bytes that are hard to tell apart") {
  std::mt19937 random(2);
  const std::vector<Data> alphabets{{0, 'a'},
                                    {0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0x80, 0x9F, 0xA0, 0xBF},
                                    {0xE2, 0x80, 0xA8, 0xA9, 0xAA, 'x'},
                                    {0xEF, 0xBF, 0xBE, 0xB7, 0x90, 0xA4, 0xEE},
                                    {0xF0, 0xF1, 0xF4, 0x8F, 0x90, 0xBF, 0xC3},
                                    {0x1F, 0x20, 0x7E, 0x7F, '\t', '\n', 0xA0, 0xFF, 0}};
  for (const Data& alphabet : alphabets)
    for (int i = 0; i < 60; ++i) check_kernels(random_from(random, random() % 400, alphabet));
}

TEST_CASE("every kernel counts the runs that there are, one by one") {
  std::mt19937 random(3);
  const std::vector<Data> alphabets{{},
                                    {0, 'a'},
                                    {0, 'a', 'b', 'c'},
                                    {'a', 'b', 'c', 0xC3, 0xA9, 1},
                                    {'a', 0xE2, 0x82, 0xAC, 0xE3, 0x81, 0x82, 0},
                                    {'a', 'b', 0xF0, 0x9F, 0x90, 0xA7, 0xE3, 0x81, 1},
                                    {'a', 'a', 'a', 'a', 0, 0xC3, 0xA9}};
  for (const Data& alphabet : alphabets) {
    for (int i = 0; i < 20; ++i) check_counts(random_from(random, random() % 700, alphabet));
    check_counts(random_from(random, 20'000, alphabet));
  }
  Data far(3 * 64 * 64, 0);  // chunks of zeros between two of text
  far.insert(far.begin(), 70, 'a');
  for (const std::size_t at : {std::size_t{64} * 64 - 2, std::size_t{2} * 64 * 64 - 1, far.size() - 3})
    std::fill_n(far.begin() + static_cast<std::ptrdiff_t>(at), 3, std::uint8_t{'b'});
  check_counts(far);
}

TEST_CASE("what lies before the first byte to be counted is not counted") {
  std::mt19937 random(4);
  for (const std::size_t begin : {1, 63, 64, 65, 4095, 4096, 4100, 8191}) {
    Data data(begin, 'x');
    data.back() = '\n';
    const Data rest = random_from(random, 9000, {'a', 'b', 'c', 0, 1});
    data.insert(data.end(), rest.begin(), rest.end());
    for (const TextMaskKernel& kernel : text_mask_kernels()) {
      RunCount all, alone;
      kernel.count(data, begin, {}, 3, all);
      kernel.count(rest, 0, {}, 3, alone);
      CHECK(all.found == alone.found);
      CHECK(all.shared == alone.shared);
    }
  }
}

TEST_CASE("a character across the border of two blocks is found, one cut off by the end is not") {
  for (const std::string character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x90\xA7"}) {
    for (std::size_t at = 56; at < 68; ++at) {
      Data data(at, 1);
      data.insert(data.end(), character.begin(), character.end());
      check_kernels(data);
      TextMasks masks;
      fill_text_masks(data, {}, masks);
      for (std::size_t i = at; i < data.size(); ++i) CHECK((masks.text[i / 64] >> i % 64 & 1) == 1);
      data.pop_back();
      check_kernels(data);
      fill_text_masks(data, {}, masks);
      CHECK((masks.text[at / 64] >> at % 64 & 1) == 0);
    }
  }
}

TEST_CASE("what is printable") {
  for (const std::uint32_t c : {0x09U, 0x20U, 0x7EU, 0xA0U, 0x20ACU, 0xD7FFU, 0xF900U, 0xFFFDU, 0x1F427U})
    CHECK(is_printable(c));
  for (const std::uint32_t c :
       {0x00U, 0x0AU, 0x1BU, 0x7FU, 0x85U, 0x2028U, 0xD800U, 0xE000U, 0xFDD0U, 0xFFFEU, 0x40000U})
    CHECK_FALSE(is_printable(c));
  const auto size = [](std::string_view text) {
    return printable_utf8({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  CHECK(size("a") == 1);
  CHECK(size("\xC3\xA9") == 2);
  CHECK(size("\xE0\x80\x80") == 0);  // overlong
  CHECK(size("\xED\xA0\x80") == 0);  // surrogate
  CHECK(size("\xC2\x9B") == 0);      // a control character
  CHECK(size("\xF0\x9F\x90") == 0);  // ends too early
}
