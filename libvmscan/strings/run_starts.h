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

/// How many bits are set, in parts: for each 16 bits, there. So many words can be added up before sum_of_parts().
inline Word count_in_parts(Word bits) {
  bits -= bits >> 1 & 0x5555555555555555U;
  bits = (bits & 0x3333333333333333U) + (bits >> 2 & 0x3333333333333333U);
  bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0FU;
  return (bits + (bits >> 8)) & 0x00FF00FF00FF00FFU;
}

inline Word sum_of_parts(Word parts) {  // without a multiplication, which not every vector unit has
  parts += parts >> 16;
  return (parts + (parts >> 32)) & 0xFFFF;
}

inline Word count_bits(Word bits) { return sum_of_parts(count_in_parts(bits)); }

/// Of how many of `starts`, bits of a word where text begins, fewer than `length` (2 to 16) characters follow one
/// another. Adding lets a bit move on over the other bytes of its character, of which there are at most three.
[[gnu::always_inline]] inline Word count_short(const Place& at, Word starts, std::size_t length) {
  const std::size_t step = 64 - 4 * (length - 1);  // for so many starts, 64 bits tell it
  Word count = count_bits(starts);
  for (std::size_t by = 0; by < 64; by += step) {
    const auto from = [&](const Word* word) { return by == 0 ? word[0] : behind(word, by); };
    const Word text = from(at.text), inner = from(at.inner);
    Word here = starts >> by & ((Word{1} << step) - 1);
    for (std::size_t k = 1; k < length; ++k) here = ((here << 1) + inner) & ~inner & text;
    count -= count_bits(here);
  }
  return count;
}

/// Where runs begin, in one word of the masks.
struct StartWord {
  Word text;      // that have enough bytes
  Word doubtful;  // of these: perhaps not enough characters
  Word wide, shared;
};

[[gnu::always_inline]] inline StartWord start_word(const Place& at, std::size_t length) {
  const Word text_before = before(at.text, 1);
  Word text = *at.text & ~text_before, longer = 0, wide = *at.wide;
  for (std::size_t k = 1; k < length; ++k) {
    text &= behind(at.text, k);
    longer |= behind(at.inner, k);
    wide &= behind(at.wide, 2 * k);
  }
  wide &= ~before(at.wide, 2);
  return {text, text & longer, wide, wide & *at.text & text_before};
}

/// The words of a mask around `word`, those that are not there as 0.
inline void copy_around(const std::vector<Word>& mask, std::size_t word, Word* three) {
  for (std::size_t k = 0; k < 3; ++k) three[k] = word + k >= 1 && word + k - 1 < mask.size() ? mask[word + k - 1] : 0;
}

/// The words first .. last of `out`, whose neighbours are there. `Least` is 0 when it is known only at run time.
/// Returns how many starts are of runs with too few characters.
template <std::size_t Least>
Word fill_inner_starts(const Place& from, std::size_t least, std::size_t first, std::size_t last, RunStarts& out) {
  const std::size_t length = Least == 0 ? least : Least;
  Word* const __restrict text = out.text;
  Word* const __restrict wide = out.wide;
  Word* const __restrict shared = out.shared;
  constexpr std::size_t row = 8;
  Word doubtful[RunStarts::most];
  const auto place = [&](std::size_t i) { return Place{from.text + i, from.inner + i, from.wide + i}; };
  for (std::size_t i = first; i < last; ++i) {
    const StartWord word = start_word(place(i), length);
    text[i] = word.text, doubtful[i] = word.doubtful, wide[i] = word.wide, shared[i] = word.shared;
  }
  Word count = 0;
  std::size_t i = first;
  for (; i + row <= last; i += row) {
    Word any = 0;
    for (std::size_t k = 0; k < row; ++k) any |= doubtful[i + k];
    if (any != 0)
      for (std::size_t k = 0; k < row; ++k) count += count_short(place(i + k), doubtful[i + k], length);
  }
  for (; i < last; ++i) count += count_short(place(i), doubtful[i], length);
  return count;
}

template <std::size_t Least>
Word fill_starts(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& out) {
  const std::size_t words = masks.text.size() > masks.wide_le.size() ? masks.text.size() : masks.wide_le.size();
  const auto edge = [&](std::size_t i) {
    Word text[3], inner[3], wide[3];
    copy_around(masks.text, begin + i, text);
    copy_around(masks.inner, begin + i, inner);
    copy_around(masks.wide_le, begin + i, wide);
    const Place middle{text + 1, inner + 1, wide + 1};
    const StartWord word = start_word(middle, least);
    out.text[i] = word.text, out.wide[i] = word.wide, out.shared[i] = word.shared;
    return count_short(middle, word.doubtful, least);
  };
  Word count = 0;
  out.count = words - begin < RunStarts::most ? words - begin : RunStarts::most;
  const bool all = masks.text.size() == words && masks.wide_le.size() == words;
  const std::size_t first = all ? (begin == 0 ? 1 : 0) : out.count;
  const std::size_t last = begin + out.count == words ? out.count - 1 : out.count;
  for (std::size_t i = 0; i < first && i < out.count; ++i) count += edge(i);
  const Place at{masks.text.data() + begin, masks.inner.data() + begin, masks.wide_le.data() + begin};
  if (first < last) count += fill_inner_starts<Least>(at, least, first, last, out);
  for (std::size_t i = last > first ? last : first; i < out.count; ++i) count += edge(i);
  return count;
}

inline void find_run_starts(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts) {
  const Word too_short =
      least == 3 ? fill_starts<3>(masks, begin, least, starts) : fill_starts<0>(masks, begin, least, starts);
  // No two runs begin at one byte: a character of UTF-16LE has a zero behind it.
  Word parts = 0, shared = 0;
  for (std::size_t i = 0; i < starts.count; ++i) {
    parts += count_in_parts(starts.text[i] | starts.wide[i]);
    shared |= starts.shared[i];
  }
  const Word found = sum_of_parts(parts);
  starts.found = static_cast<std::size_t>(found - too_short);
  starts.any_shared = shared != 0;
}

}  // namespace
}  // namespace vmscan::kernels
