#include "libvmscan/strings/mask_cuts.h"

#include <algorithm>
#include <bit>

namespace vmscan {
namespace {

using Word = std::uint64_t;

/// Bytes at either end of a piece whose bits depend on what lies beyond: a sequence of UTF-8 has at most four.
constexpr std::size_t context = 4;

Word moved_up(const std::vector<Word>& mask, std::size_t i, unsigned by) {
  return mask[i] << by | (i > 0 ? mask[i - 1] >> (64 - by) : 0);
}

void keep(std::vector<Word>& mask, std::size_t begin, std::size_t end) {
  if (mask.empty()) return;
  std::fill_n(mask.begin(), begin / 64, 0);
  mask[begin / 64] &= ~Word{0} << begin % 64;
  if (end / 64 >= mask.size()) return;
  mask[end / 64] &= (Word{1} << end % 64) - 1;
  std::fill(mask.begin() + static_cast<std::ptrdiff_t>(end / 64) + 1, mask.end(), 0);
}

}  // namespace

std::optional<std::size_t> MaskCuts::first() const {
  for (std::size_t i = 0; i < words(); ++i)
    if (const Word cuts = inner(i)) return i * 64 + static_cast<std::size_t>(std::countr_zero(cuts));
  return std::nullopt;
}

std::optional<std::size_t> MaskCuts::last() const {
  for (std::size_t i = words(); i-- > 0;)
    if (const Word cuts = inner(i)) return i * 64 + 63 - static_cast<std::size_t>(std::countl_zero(cuts));
  return std::nullopt;
}

/// A string crosses the place before byte k when it goes on there, or when k is the second half of a character.
Word MaskCuts::crossed(std::size_t i) const {
  Word all = masks_.text.empty() ? 0 : masks_.text[i] & moved_up(masks_.text, i, 1);
  for (const auto* mask : {&masks_.wide_le, &masks_.wide_be})
    if (!mask->empty()) all |= moved_up(*mask, i, 1) | ((*mask)[i] & moved_up(*mask, i, 2));
  return all;
}

/// Cuts of word i that are far enough from both ends.
Word MaskCuts::inner(std::size_t i) const {
  Word cuts = ~crossed(i);
  if (i == 0) cuts &= ~Word{0} << context;
  if (bytes_ < 2 * context) return 0;
  const std::size_t end = bytes_ - context + 1, base = i * 64;
  if (base >= end) return 0;
  return end - base < 64 ? cuts & ((Word{1} << (end - base)) - 1) : cuts;
}

void keep_bits(TextMasks& masks, std::size_t begin, std::size_t end) {
  for (auto* mask : {&masks.text, &masks.wide_le, &masks.wide_be}) keep(*mask, begin, end);
}

}  // namespace vmscan
