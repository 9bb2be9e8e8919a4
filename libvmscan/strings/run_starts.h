// The second step of the scan: where runs of text begin, 64 bytes at a time. Plain loops that compilers turn into
// vector code; included by sources that are compiled for one instruction set each (x86/block_kernel.h says what that
// means).
#pragma once

#include "libvmscan/strings/text_masks.h"

namespace vmscan::kernels {
namespace {

/// What the masks say of a word and its neighbours: the pointers stand at the middle of three words.
struct Place {
  const std::uint64_t *text, *wide;
};

/// Where runs begin, in one word of the masks.
struct StartWord {
  std::uint64_t text, wide;
};

[[gnu::always_inline]] inline StartWord start_word(const Place& at, std::size_t length) {
  const auto behind = [](const std::uint64_t* word, std::size_t by) { return word[0] >> by | word[1] << (64 - by); };
  const auto before = [](const std::uint64_t* word, std::size_t by) { return word[0] << by | word[-1] >> (64 - by); };
  std::uint64_t text = *at.text & ~before(at.text, 1), wide = *at.wide & ~before(at.wide, 2);
  for (std::size_t k = 1; k < length; ++k) {
    text &= behind(at.text, k);
    wide &= behind(at.wide, 2 * k);
  }
  return {text, wide};
}

/// The words of a mask around `word`, those that are not there as 0.
inline void copy_around(const std::vector<std::uint64_t>& mask, std::size_t word, std::uint64_t* three) {
  for (std::size_t k = 0; k < 3; ++k) three[k] = word + k >= 1 && word + k - 1 < mask.size() ? mask[word + k - 1] : 0;
}

/// The words first .. last of `out`, whose neighbours are there. `Least` is 0 when it is known only at run time.
template <std::size_t Least>
void fill_inner_starts(const Place& from, std::size_t least, std::size_t first, std::size_t last, RunStarts& out) {
  std::uint64_t* const __restrict text = out.text;
  std::uint64_t* const __restrict wide = out.wide;
  for (std::size_t i = first; i < last; ++i) {
    const StartWord word = start_word({from.text + i, from.wide + i}, Least == 0 ? least : Least);
    text[i] = word.text, wide[i] = word.wide;
  }
}

inline void find_run_starts(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& out) {
  const std::size_t words = masks.text.size() > masks.wide_le.size() ? masks.text.size() : masks.wide_le.size();
  const auto edge = [&](std::size_t i) {
    std::uint64_t text[3], wide[3];
    copy_around(masks.text, begin + i, text);
    copy_around(masks.wide_le, begin + i, wide);
    const StartWord word = start_word({text + 1, wide + 1}, least);
    out.text[i] = word.text, out.wide[i] = word.wide;
  };
  out.count = words - begin < RunStarts::most ? words - begin : RunStarts::most;
  const bool all = masks.text.size() == words && masks.wide_le.size() == words;
  const std::size_t first = all ? (begin == 0 ? 1 : 0) : out.count;
  const std::size_t last = begin + out.count == words ? out.count - 1 : out.count;
  for (std::size_t i = 0; i < first && i < out.count; ++i) edge(i);
  if (first < last) {
    const Place at{masks.text.data() + begin, masks.wide_le.data() + begin};
    least == 3 ? fill_inner_starts<3>(at, least, first, last, out) : fill_inner_starts<0>(at, least, first, last, out);
  }
  for (std::size_t i = last > first ? last : first; i < out.count; ++i) edge(i);
}

}  // namespace
}  // namespace vmscan::kernels
