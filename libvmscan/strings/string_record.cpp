#include "libvmscan/strings/string_record.h"

#include <array>
#include <random>

namespace vmscan {
namespace {

using Word = std::uint64_t;

const std::array<Word, 4>& key() {
  static const std::array<Word, 4> words = [] {
    std::random_device device;
    std::array<Word, 4> drawn{};
    for (Word& word : drawn) word = Word{device()} << 32 | device() | 1;
    return drawn;
  }();
  return words;
}

/// A bijection in which each bit of the result depends on each bit of the argument (the finalizer of MurmurHash3).
Word mix(Word word) {
  word = (word ^ word >> 33) * 0xFF51AFD7ED558CCDU;
  word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53U;
  return word ^ word >> 33;
}

Word load(const char* at, std::size_t size) {
  Word word = 0;
  std::memcpy(&word, at, size);
  return word;
}

}  // namespace

TextHash hash_text(std::string_view text, StringEncoding encoding) {
  const auto& k = key();
  const Word start = text.size() << 3 | static_cast<Word>(encoding);
  TextHash hash{mix(start ^ k[0]), mix(start ^ k[1])};
  while (!text.empty()) {
    const std::size_t size = text.size() < 8 ? text.size() : 8;
    const Word word = load(text.data(), size);
    hash.first = mix((hash.first ^ word) * k[2] + k[0]);
    hash.second = mix((hash.second + word) * k[3] ^ k[1]);
    text.remove_prefix(size);
  }
  return hash;
}

}  // namespace vmscan
