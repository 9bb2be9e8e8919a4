// Runs of bits in a mask: where text begins and ends.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vmscan {

/// Runs whose bits lie `stride` (1 or 2) apart. A mask may be empty: it has none.
class MaskRuns {
 public:
  using Word = std::uint64_t;

  /// `least`: shorter runs are left out, up to `exact_least`; of longer ones the caller looks at the length.
  MaskRuns(const std::vector<Word>& mask, std::size_t stride, std::size_t least)
      : mask_(mask), stride_(stride), shifts_(std::min(least, exact_least) - 1) {}

  static constexpr std::size_t exact_least = 16;

  std::size_t words() const { return mask_.size(); }
  Word word(std::size_t i) const { return i < mask_.size() ? mask_[i] : 0; }

  /// Bits of word i where a run begins.
  Word starts(std::size_t i) const {
    if (word(i) == 0) return 0;
    const Word all = long_from(i);
    return all == 0 ? 0 : all & ~before(i, stride_);
  }

  /// Word i of the mask moved up by `by` bits (1 to 63): bit k tells of the byte `by` before.
  Word before(std::size_t i, std::size_t by) const { return mask_[i] << by | (i > 0 ? mask_[i - 1] >> (64 - by) : 0); }
  /// Word i of the mask moved down by `by` bits (1 to 63): bit k tells of the byte `by` behind.
  Word behind(std::size_t i, std::size_t by) const { return word(i) >> by | word(i + 1) << (64 - by); }

  /// Behind the last bit of the run that begins at bit `begin`; may lie `stride - 1` behind the last word.
  std::size_t end_of(std::size_t begin) const {
    const Word every = stride_ == 1 ? ~Word{0} : begin % 2 == 0 ? 0x5555555555555555U : 0xAAAAAAAAAAAAAAAAU;
    std::size_t i = begin / 64;
    Word gaps = ~mask_[i] & every & ~Word{0} << begin % 64;
    while (gaps == 0 && ++i < mask_.size()) gaps = ~mask_[i] & every;
    return gaps == 0 ? mask_.size() * 64 + begin % stride_ : i * 64 + static_cast<std::size_t>(std::countr_zero(gaps));
  }

 private:
  Word long_from(std::size_t i) const {
    Word all = mask_[i];
    for (std::size_t shift = stride_; shift <= shifts_ * stride_ && all != 0; shift += stride_) all &= behind(i, shift);
    return all;
  }

  const std::vector<Word>& mask_;
  std::size_t stride_, shifts_;
};

/// How many bits are set. In a few steps, as not every processor of this kind can do it in one.
inline std::size_t bit_count(std::uint64_t bits) {
  bits -= bits >> 1 & 0x5555555555555555U;
  bits = (bits & 0x3333333333333333U) + (bits >> 2 & 0x3333333333333333U);
  return static_cast<std::size_t>(((bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0FU) * 0x0101010101010101U >> 56);
}

/// The 64 bits of a mask from bit `begin` on, which the mask has.
inline std::uint64_t bits_from(const std::vector<std::uint64_t>& mask, std::size_t begin) {
  const std::size_t i = begin / 64, by = begin % 64;
  const std::uint64_t next = by != 0 && i + 1 < mask.size() ? mask[i + 1] << (64 - by) : 0;
  return mask[i] >> by | next;
}

/// How many bits of a mask are set in [begin, end), which may be empty and lie behind the mask.
inline std::size_t bits_in(const std::vector<std::uint64_t>& mask, std::size_t begin, std::size_t end) {
  if (begin == end) return 0;
  if (end - begin < 64) {
    const std::uint64_t bits = bits_from(mask, begin) & ((std::uint64_t{1} << (end - begin)) - 1);
    return bits == 0 ? 0 : bit_count(bits);
  }
  std::size_t count = 0;
  for (std::size_t i = begin / 64; i * 64 < end && i < mask.size(); ++i) {
    std::uint64_t word = mask[i];
    if (word == 0) continue;
    if (i == begin / 64) word &= ~std::uint64_t{0} << begin % 64;
    if (end - i * 64 < 64) word &= (std::uint64_t{1} << (end - i * 64)) - 1;
    count += bit_count(word);
  }
  return count;
}

}  // namespace vmscan
