#include "tests/fuzz/support/mutate.h"

#include <algorithm>
#include <cstring>

namespace vmscan::tests {
namespace {

/// Powers of two and their neighbours, small numbers, and words from elsewhere in the input, which may be addresses.
std::uint64_t meaningful_word(const std::uint8_t* data, std::size_t size, std::minstd_rand& random) {
  std::uint64_t word = 0;
  switch (random() % 4) {
    case 0:
      return (std::uint64_t{1} << random() % 64) - 1 + random() % 3;
    case 1:
      return random() % 64;
    case 2:
      return std::uint64_t{random()} << random() % 34;
    default:
      std::memcpy(&word, data + random() % (size / 8) * 8, 8);
      return word + (static_cast<std::uint64_t>(random() % 5) - 2) * (std::uint64_t{1} << random() % 16);
  }
}

std::string random_part(std::minstd_rand& random) {
  constexpr std::size_t longest = 33;  // three records of most fuzzers
  std::string part(1 + random() % longest, '\0');
  for (char& each : part) each = static_cast<char>(random() >> 8);
  return part;
}

void change_part(std::string& bytes, std::minstd_rand& random) {
  const std::size_t at = random() % (bytes.size() + 1), size = std::min<std::size_t>(random() % 64, bytes.size() - at);
  switch (random() % 4) {
    case 0:
      bytes.insert(at, random_part(random));
      break;
    case 1:
      bytes.erase(at, size);
      break;
    case 2:
      bytes.insert(at, bytes.substr(at, size));
      break;
    default:
      if (at < bytes.size()) bytes[at] = static_cast<char>(random() >> 8);
  }
}

}  // namespace

void change_words(std::uint8_t* data, std::size_t size, std::minstd_rand& random) {
  for (auto changes = 1 + random() % 4; changes > 0; --changes) {
    const std::size_t width = random() % 3 == 0 ? 4 : 8, place = random() % (size / width) * width;
    const std::uint64_t word = meaningful_word(data, size, random);
    std::memcpy(data + place, &word, width);
  }
}

void change_anything(std::string& bytes, std::minstd_rand& random) {
  for (auto changes = 1 + random() % 6; changes > 0; --changes)
    if (bytes.size() >= 16 && random() % 2 == 0)
      change_words(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size(), random);
    else
      change_part(bytes, random);
}

}  // namespace vmscan::tests
