// The second step of the scan: where runs of text begin, 64 bytes at a time. Plain loops that compilers turn into
// vector code; included by sources that are compiled for one instruction set each (x86/block_kernel.h says what that
// means).
#pragma once

#include "libvmscan/strings/text_masks.h"

namespace vmscan::kernels {
namespace {

using Word = std::uint64_t;

/// Words [begin, begin + count) of a mask, and its neighbours.
struct Part {
  const Word* words;
  std::size_t begin, count, all;  // all: of the whole mask; 0: there is none

  Part(const std::vector<Word>& mask, std::size_t from, std::size_t number)
      : words(mask.data()), begin(from), count(number), all(mask.size()) {}
  const Word* at() const { return words + begin; }
  Word before() const { return begin > 0 ? words[begin - 1] : 0; }
  /// How many have a word behind them.
  std::size_t followed() const { return begin + count < all ? count : count - 1; }
};

/// Keeps the bits whose neighbour `by` behind is set, too.
inline void and_behind(const Part& mask, std::size_t by, Word* out) {
  const Word* const words = mask.at();
  const std::size_t followed = mask.followed();
  for (std::size_t i = 0; i < followed; ++i) out[i] &= words[i] >> by | words[i + 1] << (64 - by);
  if (followed < mask.count) out[followed] &= words[followed] >> by;
}

/// Keeps the bits whose neighbour `by` before is set, too; `flip` is all ones to keep those where it is not.
inline void and_before(const Part& mask, std::size_t by, Word flip, Word* out) {
  const Word* const words = mask.at();
  out[0] &= (words[0] << by | mask.before() >> (64 - by)) ^ flip;
  for (std::size_t i = 1; i < mask.count; ++i) out[i] &= (words[i] << by | words[i - 1] >> (64 - by)) ^ flip;
}

inline void fill_starts(const Part& mask, std::size_t stride, std::size_t least, Word* out) {
  for (std::size_t i = 0; i < mask.count; ++i) out[i] = mask.all == 0 ? 0 : mask.words[mask.begin + i];
  if (mask.all == 0) return;
  for (std::size_t k = 1; k < least; ++k) and_behind(mask, k * stride, out);
  and_before(mask, stride, ~Word{0}, out);
}

inline Word count_bits(Word bits) {  // without a multiplication, which not every vector unit has
  bits -= bits >> 1 & 0x5555555555555555U;
  bits = (bits & 0x3333333333333333U) + (bits >> 2 & 0x3333333333333333U);
  bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0FU;
  bits += bits >> 8;
  bits += bits >> 16;
  return (bits + (bits >> 32)) & 0x7F;
}

/// What needs a closer look before it is counted: runs of bytes with UTF-8 within the least length, and runs of UTF-16
/// that share their first byte.
inline void fill_doubtful(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts) {
  const Part text(masks.text, begin, starts.count), inner(masks.inner, begin, starts.count);
  Word free[RunStarts::most], shared[RunStarts::most];
  for (std::size_t i = 0; i < starts.count; ++i) free[i] = ~inner.at()[i], shared[i] = starts.wide[i] & text.at()[i];
  const std::size_t followed = inner.followed();
  for (std::size_t k = 1; k < least; ++k) {
    const Word* const words = inner.at();
    for (std::size_t i = 0; i < followed; ++i) free[i] &= ~(words[i] >> k | words[i + 1] << (64 - k));
    if (followed < starts.count) free[followed] &= ~(words[followed] >> k);
    and_before(text, k, 0, shared);
  }
  for (std::size_t i = 0; i < starts.count; ++i) starts.doubtful[i] = (starts.text[i] & ~free[i]) | shared[i];
}

inline void find_run_starts(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts) {
  const std::size_t words = masks.text.size() > masks.wide_le.size() ? masks.text.size() : masks.wide_le.size();
  starts.count = words - begin < RunStarts::most ? words - begin : RunStarts::most;
  fill_starts(Part(masks.text, begin, starts.count), 1, least, starts.text);
  fill_starts(Part(masks.wide_le, begin, starts.count), 2, least, starts.wide);
  for (std::size_t i = 0; i < starts.count; ++i) starts.doubtful[i] = 0;
  if (!masks.text.empty()) fill_doubtful(masks, begin, least, starts);
  Word sure = 0;
  for (std::size_t i = 0; i < starts.count; ++i)
    sure += count_bits((starts.text[i] & ~starts.doubtful[i]) | starts.wide[i]);
  starts.sure = static_cast<std::size_t>(sure);
}

}  // namespace
}  // namespace vmscan::kernels
