#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>

#include "libvmscan/strings/scan_memory.h"

using namespace vmscan;

namespace {

/// Memory made of pieces; what lies between them is a hole.
class Pieces : public MemoryReader {
 public:
  std::map<Address, std::string> pieces;
  std::optional<Address> vanishes_at;

 private:
  Result<std::size_t> do_read(Address address, std::span<std::byte> buffer) const override {
    if (vanishes_at && address >= *vanishes_at) return fail(ErrorCode::Vanished, "gone");
    for (const auto& [begin, bytes] : pieces) {
      if (address < begin || address >= begin + bytes.size()) continue;
      const std::string part = bytes.substr(address - begin, buffer.size());
      std::transform(part.begin(), part.end(), buffer.begin(), [](char c) { return static_cast<std::byte>(c); });
      return part.size();
    }
    return std::size_t{0};
  }
};

using Place = std::tuple<Address, std::size_t, StringEncoding, std::size_t>;  // where, bytes, in what, whose

struct Scanned {
  std::vector<Place> places;
  std::vector<std::string> texts;
  ScanTotals totals;
  bool good = false;
};

Scanned scan(const MemoryReader& memory, const std::vector<Extent>& extents, const ScanOptions& options) {
  Scanned result;
  std::vector<std::vector<std::pair<Place, std::string>>> batches;
  const Render render = [](const StringBatch& batch, Rendered& out) {
    for (const FoundString& found : batch.strings) {
      const auto text = batch.text_of(found);
      out.text += std::to_string(batch.address + found.offset) + ' ' + std::to_string(found.size) + ' ' +
                  std::to_string(static_cast<int>(found.encoding)) + ' ' + std::to_string(batch.region) + '\n';
      out.text += std::string(text.begin(), text.end()) + '\n';
    }
    out.strings += batch.strings.size();
  };
  const Deliver deliver = [&](Rendered& rendered) {
    std::string_view rest = rendered.text;
    if (rest.empty()) return true;  // only counted
    for (std::uint64_t i = 0; i < rendered.strings; ++i) {
      unsigned long long address = 0, size = 0, encoding = 0, region = 0;
      REQUIRE(std::sscanf(rest.data(), "%llu %llu %llu %llu", &address, &size, &encoding, &region) == 4);
      rest.remove_prefix(rest.find('\n') + 1);
      result.places.emplace_back(address, size, static_cast<StringEncoding>(encoding), region);
      result.texts.emplace_back(rest.substr(0, size));
      rest.remove_prefix(size + 1);
    }
    return true;
  };
  result.good = scan_memory(memory, extents, options, render, deliver, result.totals).has_value();
  return result;
}

std::string random_bytes(std::size_t size, std::string_view alphabet, unsigned seed) {
  std::mt19937 random(seed);
  std::string data(size, '\0');
  for (char& byte : data) byte = alphabet.empty() ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
  return data;
}

std::vector<Place> at_once(std::string_view data, Address base, const ScanOptions& options) {
  std::vector<Place> places;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(data.data());
  for (const FoundString& found : find_strings({bytes, data.size()}, options.encodings, options.min_characters))
    places.emplace_back(base + found.offset, found.size, found.encoding, 0);
  return places;
}

}  // namespace

TEST_CASE("pieces of any size give the strings of the whole, in order") {
  constexpr Address base = 0x10000;
  const std::string_view alphabets[] = {{},       {"a\0b", 3},      {"ab\n", 3},
                                        {"x", 1}, {"a\0\0\xE9", 4}, {"a\xC3\xA9\xE2\x82\xAC\0", 7}};
  for (const std::string_view alphabet : alphabets)
    for (const std::size_t size : {1, 7, 64, 1000, 6000})
      for (const std::size_t piece : {8, 9, 63, 64, 65, 127, 1000, 1 << 18}) {
        const std::string data = random_bytes(size, alphabet, 7);
        Pieces memory;
        memory.pieces[base] = data;
        ScanOptions options;
        options.encodings.wide_be = size % 2 == 0;
        options.piece_bytes = piece;
        options.threads = 3;
        INFO("size " << size << ", piece " << piece);
        const Scanned all = scan(memory, {{{base, base + size}, 0}}, options);
        REQUIRE(all.good);
        REQUIRE(all.places == at_once(data, base, options));
        REQUIRE(all.totals.read_bytes == size);
        options.count_only = true;
        REQUIRE(scan(memory, {{{base, base + size}, 0}}, options).totals.strings == all.places.size());
      }
}

TEST_CASE("strings end at holes and at the ends of regions, not at the ends of blocks") {
  Pieces memory;
  memory.pieces[0x1000] = std::string(0x1000, 'a');
  memory.pieces[0x3000] = std::string(0x2000, 'b');
  ScanOptions options;
  options.piece_bytes = 0x800;
  const Scanned all = scan(memory, {{{0x1000, 0x4000}, 0}, {{0x4000, 0x5000}, 1}}, options);
  using enum StringEncoding;
  CHECK(all.places ==
        std::vector<Place>{{0x1000, 0x1000, Ascii, 0}, {0x3000, 0x1000, Ascii, 0}, {0x4000, 0x1000, Ascii, 1}});
  CHECK(all.totals.unreadable_bytes == 0x1000);
}

TEST_CASE("a string beyond the bound comes in parts that hold all of it") {
  Pieces memory;
  std::string text;
  while (text.size() < 3 * longest_string) text += "a\xC3\xA9";
  memory.pieces[0x1000] = text;
  const Scanned all = scan(memory, {{{0x1000, 0x1000 + text.size()}, 0}}, {});
  REQUIRE(all.texts.size() >= 3);
  std::string joined;
  for (const std::string& part : all.texts) {
    CHECK(part.size() <= longest_string + 12);
    joined += part;
  }
  const bool same = joined == text;  // not printed: megabytes
  CHECK(same);
}

TEST_CASE("what vanishes ends the scan, and what was found before is there") {
  Pieces memory;
  memory.pieces[0x1000] = std::string(0x4000, 'a');
  memory.pieces[0x1000][0xF00] = '\n';
  memory.vanishes_at = 0x3000;
  ScanOptions options;
  options.piece_bytes = 0x1000;
  const Scanned all = scan(memory, {{{0x1000, 0x5000}, 0}}, options);
  CHECK(!all.good);
  REQUIRE(all.texts.size() == 2);
  CHECK(all.texts[0].size() == 0xF00);
}
