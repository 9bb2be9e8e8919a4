// libFuzzer's custom mutator for files of numbers: whole words as well as bytes.
#include "tests/fuzz/support/mutate.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  std::minstd_rand random(seed);
  if (size < 16 || random() % 3 == 0) return LLVMFuzzerMutate(data, size, most);
  vmscan::tests::change_words(data, size, random);
  return size;
}
