// libFuzzer's custom mutator for files of numbers: it changes whole words at aligned places to what means something
// there, as well as bytes.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

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

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  std::minstd_rand random(seed);
  if (size < 16 || random() % 3 == 0) return LLVMFuzzerMutate(data, size, most);
  for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
    const std::size_t width = random() % 3 == 0 ? 4 : 8, place = random() % (size / width) * width;
    const std::uint64_t word = meaningful_word(data, size, random);
    std::memcpy(data + place, &word, width);
  }
  return size;
}
