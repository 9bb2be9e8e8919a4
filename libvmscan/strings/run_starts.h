// The second step of the scan: where runs of text begin, 64 bytes at a time. Plain loops that compilers turn into
// vector code; included by sources that are compiled for one instruction set each (x86/block_kernel.h says what that
// means).
#pragma once

#include "libvmscan/strings/text_masks.h"

namespace vmscan::kernels {
namespace {

using Word = std::uint64_t;

/// What the masks say of a word and its neighbours: the pointers stand at the middle of three words.
struct Place {
  const Word *text, *inner, *wide;
};

inline Word behind(const Word* word, std::size_t by) { return word[0] >> by | word[1] << (64 - by); }
inline Word before(const Word* word, std::size_t by) { return word[0] << by | word[-1] >> (64 - by); }

/// The bits of a word, and of the next one.
struct TwoWords {
  Word low, high;
  TwoWords operator&(const TwoWords& other) const { return {low & other.low, high & other.high}; }
  TwoWords operator|(const TwoWords& other) const { return {low | other.low, high | other.high}; }
  TwoWords down() const { return {low >> 1 | high << 63, high >> 1}; }
};

/// Where at least `length` characters of text follow one another. They have up to four bytes each, so that two words
/// tell it for 16 characters.
[[gnu::always_inline]] inline Word long_enough(const Place& at, std::size_t length) {
  const TwoWords inner{at.text[0] & at.inner[0], at.text[1] & at.inner[1]};
  const TwoWords first{at.text[0] & ~at.inner[0], at.text[1] & ~at.inner[1]};
  TwoWords enough = first;  // characters that begin here: one, two, ...
  for (std::size_t k = 1; k < length; ++k) {
    TwoWords next = enough;  // the same, before the character and at its other bytes
    for (int bytes = 0; bytes < 3; ++bytes) next = enough | (inner & next.down());
    enough = first & next.down();
  }
  return enough.low;
}

/// `Least` is 0 when it is known only at run time.
template <std::size_t Least>
[[gnu::always_inline]] inline void start_word(const Place& at, std::size_t least, std::size_t i, RunStarts& out) {
  const std::size_t length = Least == 0 ? least : Least;
  Word wide = *at.wide, shared = *at.text;
  for (std::size_t k = 1; k < length; ++k) {
    wide &= behind(at.wide, 2 * k);
    shared &= before(at.text, k);
  }
  out.text[i] = long_enough(at, length) & ~before(at.text, 1);
  out.wide[i] = wide & ~before(at.wide, 2);
  out.shared[i] = out.wide[i] & shared;
}

inline Word count_bits(Word bits) {  // without a multiplication, which not every vector unit has
  bits -= bits >> 1 & 0x5555555555555555U;
  bits = (bits & 0x3333333333333333U) + (bits >> 2 & 0x3333333333333333U);
  bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0FU;
  bits += bits >> 8;
  bits += bits >> 16;
  return (bits + (bits >> 32)) & 0x7F;
}

/// The words of a mask around `word`, those that are not there as 0.
inline void copy_around(const std::vector<Word>& mask, std::size_t word, Word* three) {
  for (std::size_t k = 0; k < 3; ++k) three[k] = word + k >= 1 && word + k - 1 < mask.size() ? mask[word + k - 1] : 0;
}

template <std::size_t Least>
void fill_starts(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& out) {
  const std::size_t words = masks.text.size() > masks.wide_le.size() ? masks.text.size() : masks.wide_le.size();
  const auto edge = [&](std::size_t i) {
    Word text[3], inner[3], wide[3];
    copy_around(masks.text, begin + i, text);
    copy_around(masks.inner, begin + i, inner);
    copy_around(masks.wide_le, begin + i, wide);
    start_word<Least>({text + 1, inner + 1, wide + 1}, least, i, out);
  };
  out.count = words - begin < RunStarts::most ? words - begin : RunStarts::most;
  const bool all = masks.text.size() == words && masks.wide_le.size() == words;
  const std::size_t first = all ? (begin == 0 ? 1 : 0) : out.count;
  const std::size_t last = begin + out.count == words ? out.count - 1 : out.count;
  for (std::size_t i = 0; i < first && i < out.count; ++i) edge(i);
  const Place at{masks.text.data() + begin, masks.inner.data() + begin, masks.wide_le.data() + begin};
  for (std::size_t i = first; i < last; ++i) start_word<Least>({at.text + i, at.inner + i, at.wide + i}, least, i, out);
  for (std::size_t i = last > first ? last : first; i < out.count; ++i) edge(i);
}

inline void find_run_starts(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts) {
  least == 3 ? fill_starts<3>(masks, begin, least, starts) : fill_starts<0>(masks, begin, least, starts);
  Word found = 0;
  for (std::size_t i = 0; i < starts.count; ++i) found += count_bits(starts.text[i]) + count_bits(starts.wide[i]);
  starts.found = static_cast<std::size_t>(found);
}

}  // namespace
}  // namespace vmscan::kernels
