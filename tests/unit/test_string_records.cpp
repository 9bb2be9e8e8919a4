#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

#include "libvmscan/strings/string_counter.h"
#include "libvmscan/strings/string_sieve.h"

using namespace vmscan;

namespace {

struct Sample {
  Address address;
  std::string text;
};

StringRecord head_of(const Sample& sample) {
  StringRecord head;
  head.address = sample.address;
  head.size = head.characters = head.text_size = static_cast<std::uint32_t>(sample.text.size());
  head.types = static_cast<std::uint16_t>(1U << sample.address % 5);
  head.hash = hash_text(sample.text, head.encoding);
  return head;
}

/// Texts of 1 to 60 bytes, most of them several times, by address.
std::vector<Sample> samples(std::size_t count) {
  std::mt19937 random(5);
  std::vector<Sample> all;
  for (std::size_t i = 0; i < count; ++i) {
    std::mt19937 text_random(static_cast<unsigned>(random() % (count / 3 + 1)));
    std::string text(1 + text_random() % 60, 'a');
    for (char& c : text) c = static_cast<char>('a' + text_random() % 26);
    all.push_back({0x1000 + i * 64, text});
  }
  return all;
}

constexpr std::size_t tiny = 4096;  // bytes of memory: hundreds of temporary files, merged in levels

std::vector<Address> sorted(const std::vector<Sample>& all, RecordOrder order, std::size_t memory) {
  RecordSort sort(std::move(order), std::tmpfile, memory);
  for (const Sample& sample : all) REQUIRE(sort.add(head_of(sample), sample.text));
  std::vector<Address> addresses;
  REQUIRE(sort.each([&](std::string_view record) {
    addresses.push_back(vmscan::head_of(record).address);
    return true;
  }));
  return addresses;
}

template <class Less>
std::vector<Address> obvious(std::vector<Sample> all, const Less& less) {
  std::stable_sort(all.begin(), all.end(), less);
  std::vector<Address> addresses;
  for (const Sample& sample : all) addresses.push_back(sample.address);
  return addresses;
}

std::FILE* no_file() { return nullptr; }

}  // namespace

TEST_CASE("sorting is the same in much memory and in little") {
  const auto all = samples(20'000);
  for (const std::size_t memory : {tiny, std::size_t{1} << 24}) {
    CHECK(sorted(all, by_address(), memory) == obvious(all, [](auto& a, auto& b) { return a.address < b.address; }));
    CHECK(sorted(all, by_text(), memory) == obvious(all, [](auto& a, auto& b) { return a.text < b.text; }));
    CHECK(sorted(all, by_length(), memory) ==
          obvious(all, [](auto& a, auto& b) { return a.text.size() > b.text.size(); }));
    auto backwards = obvious(all, [](auto& a, auto& b) { return a.address < b.address; });
    std::reverse(backwards.begin(), backwards.end());
    CHECK(sorted(all, reversed(by_address()), memory) == backwards);
  }
}

TEST_CASE("equal strings are counted exactly, in much memory and in little") {
  const auto all = samples(20'000);
  struct Group {
    std::uint64_t count = 0;
    Address first = ~Address{0};
    unsigned types = 0;
    std::uint64_t base = 0;
    bool operator==(const Group&) const = default;
  };
  std::map<std::string, Group> expected;
  for (const Sample& sample : all) {
    Group& group = expected[sample.text];
    ++group.count;
    group.first = std::min(group.first, sample.address);
    group.types |= head_of(sample).types;
    group.base += 2;
  }
  for (const std::size_t memory : {tiny, std::size_t{1} << 24}) {
    StringCounter counter(std::tmpfile, memory);
    for (const Sample& sample : all) {
      StringRecord twice = head_of(sample);  // in the base
      twice.count = twice.types = 0;
      twice.base_count = 2;
      twice.address = ~Address{0};
      REQUIRE(counter.add(twice, sample.text));
      REQUIRE(counter.add(head_of(sample), sample.text));
    }
    std::map<std::string, Group> found;
    REQUIRE(counter.each([&](std::string_view record) {
      const StringRecord head = vmscan::head_of(record);
      const Group group{head.count, head.address, head.types, head.base_count};
      CHECK(found.try_emplace(std::string(text_of(record)), group).second);
      return true;
    }));
    CHECK(found == expected);
  }
}

TEST_CASE("a sieve keeps what is new, once if asked to, however little it may hold in memory") {
  const auto all = samples(3'000);
  std::set<std::string> base;
  for (std::size_t i = 0; i < all.size(); i += 7) base.insert(all[i].text);
  for (const bool unique : {false, true})
    for (const std::size_t most : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{1} << 20}) {
      StringSieve sieve(unique, std::tmpfile, most);
      for (const std::string& text : base) REQUIRE(sieve.exclude(hash_text(text, StringEncoding::Ascii)));
      std::vector<Address> kept, expected;
      std::set<std::string> seen = base;
      for (const Sample& sample : all) {
        const bool is_new = unique ? seen.insert(sample.text).second : !base.contains(sample.text);
        if (is_new) expected.push_back(sample.address);
        const auto verdict = sieve.judge(head_of(sample), sample.text);
        REQUIRE(verdict);
        if (*verdict == StringSieve::Verdict::Keep) kept.push_back(sample.address);
      }
      REQUIRE(sieve.later([&](std::string_view record) {
        kept.push_back(vmscan::head_of(record).address);
        return true;
      }));
      INFO("unique " << unique << ", at most " << most);
      CHECK(kept == expected);
    }
}

TEST_CASE("the same text in another encoding is another string") {
  CHECK(hash_text("text", StringEncoding::Ascii) != hash_text("text", StringEncoding::Utf16le));
  CHECK(hash_text("text", StringEncoding::Ascii) != hash_text(std::string_view("text\0", 5), StringEncoding::Ascii));
}

TEST_CASE("without a temporary file, what does not fit is an error and no silence") {
  RecordSort sort(by_address(), no_file, tiny);
  Result<void> done;
  for (const Sample& sample : samples(1000))
    if (done) done = sort.add(head_of(sample), sample.text);
  REQUIRE(!done);
  CHECK(done.error().code == ErrorCode::Io);
  CHECK(done.error().message.find("temporary file") != std::string::npos);
}
