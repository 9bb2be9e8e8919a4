#include "libvmscan/strings/find_strings.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <optional>
#include <utility>

namespace vmscan {
namespace {

using Word = std::uint64_t;
using Found = std::vector<FoundString>;

/// Positions in a bit mask where runs of at least `least` bits, `stride` apart, begin; and where they end.
class Runs {
 public:
  Runs(const std::vector<Word>& mask, std::size_t stride, std::size_t least)
      : mask_(mask), stride_(stride), shifts_(std::min<std::size_t>(least, 16) - 1) {}

  /// Calls `take(begin, end)` for each run, `end` behind the last bit that belongs to it, by rising `begin`.
  template <class Take>
  void each(const Take& take) const {
    for (std::size_t i = 0; i < mask_.size(); ++i) {
      if (mask_[i] == 0) continue;
      const Word before = i > 0 ? mask_[i - 1] : 0;
      Word starts = long_runs(i) & ~(mask_[i] << stride_ | before >> (64 - stride_));
      for (; starts != 0; starts &= starts - 1) {
        const std::size_t begin = i * 64 + static_cast<std::size_t>(std::countr_zero(starts));
        take(begin, end_of(begin));
      }
    }
  }

 private:
  /// Where a run of the least length begins or goes on.
  Word long_runs(std::size_t i) const {
    const Word next = i + 1 < mask_.size() ? mask_[i + 1] : 0;
    Word all = mask_[i];
    for (std::size_t shift = stride_; shift <= shifts_ * stride_ && all != 0; shift += stride_)
      all &= mask_[i] >> shift | next << (64 - shift);
    return all;
  }

  std::size_t end_of(std::size_t begin) const {
    const Word every = stride_ == 1 ? ~Word{0} : begin % 2 == 0 ? 0x5555555555555555U : 0xAAAAAAAAAAAAAAAAU;
    std::size_t i = begin / 64;
    Word gaps = ~mask_[i] & every & ~Word{0} << begin % 64;
    while (gaps == 0 && ++i < mask_.size()) gaps = ~mask_[i] & every;
    return gaps == 0 ? mask_.size() * 64 + begin % stride_ : i * 64 + static_cast<std::size_t>(std::countr_zero(gaps));
  }

  const std::vector<Word>& mask_;
  std::size_t stride_, shifts_;
};

bool is_continuation(std::uint8_t byte) { return (byte & 0xC0) == 0x80; }

/// Sets characters and encoding of a run of bytes.
void count(std::span<const std::uint8_t> bytes, FoundString& run) {
  const auto part = bytes.subspan(run.offset, run.size);
  run.characters = part.size() - static_cast<std::size_t>(std::count_if(part.begin(), part.end(), is_continuation));
  const bool ascii = std::none_of(part.begin(), part.end(), [](std::uint8_t byte) { return byte >= 0x80; });
  run.encoding = ascii ? StringEncoding::Ascii : StringEncoding::Utf8;
}

Found wide_runs(const std::vector<Word>& mask, StringEncoding encoding, std::size_t bytes, std::size_t least) {
  Found found;
  Runs(mask, 2, least).each([&](std::size_t begin, std::size_t end) {
    const std::size_t characters = (std::min(end, bytes) - begin) / 2;
    if (characters >= least) found.push_back({begin, characters * 2, characters, encoding});
  });
  return found;
}

std::size_t end_of(const FoundString& run) { return run.offset + run.size; }
bool overlap(const FoundString& a, const FoundString& b) {
  return a.size > 0 && b.size > 0 && a.offset < end_of(b) && b.offset < end_of(a);
}

/// Of overlapping runs the longer stays, the LE one when equal.
Found settle_wide(Found little, Found big) {
  Found all;
  std::merge(little.begin(), little.end(), big.begin(), big.end(), std::back_inserter(all),
             [](const FoundString& a, const FoundString& b) { return a.offset < b.offset; });
  Found kept;
  for (const FoundString& run : all) {
    const auto stronger = [&](const FoundString& other) {
      return other.characters > run.characters ||
             (other.characters == run.characters && other.encoding == StringEncoding::Utf16le);
    };
    bool stays = true;
    while (stays && !kept.empty() && overlap(kept.back(), run)) {
      if (stronger(kept.back()))
        stays = false;
      else
        kept.pop_back();
    }
    if (stays) kept.push_back(run);
  }
  return kept;
}

/// Gives the character that both share to one of them. Only its last or first character can a run of bytes share.
void settle(std::span<const std::uint8_t> bytes, FoundString& text, FoundString& wide) {
  if (text.characters >= wide.characters) {
    if (text.offset <= wide.offset) wide.offset += 2;
    wide.size -= 2, wide.characters -= 1;
    return;
  }
  if (end_of(text) == wide.offset + 1) {
    do --text.size;
    while (text.size > 0 && is_continuation(bytes[end_of(text)]));
  } else {
    do ++text.offset, --text.size;
    while (text.size > 0 && is_continuation(bytes[text.offset]));
  }
  count(bytes, text);
}

Found merge(std::span<const std::uint8_t> bytes, Found text, Found wide, std::size_t least) {
  std::size_t at = 0;
  for (FoundString& run : text) {
    while (at < wide.size() && end_of(wide[at]) <= run.offset) ++at;
    for (std::size_t i = at; i < wide.size() && wide[i].offset < end_of(run); ++i)
      if (overlap(run, wide[i])) settle(bytes, run, wide[i]);
  }
  Found all;
  all.reserve(text.size() + wide.size());
  std::merge(text.begin(), text.end(), wide.begin(), wide.end(), std::back_inserter(all),
             [](const FoundString& a, const FoundString& b) { return a.offset < b.offset; });
  std::erase_if(all, [least](const FoundString& run) { return run.characters < least; });
  return all;
}

Found strings_of(std::span<const std::uint8_t> bytes, const TextMasks& masks, std::size_t least) {
  Found text;
  Runs(masks.text, 1, least).each([&](std::size_t begin, std::size_t end) {
    FoundString run{begin, std::min(end, bytes.size()) - begin, 0, StringEncoding::Ascii};
    count(bytes, run);
    if (run.characters >= least) text.push_back(run);
  });
  return merge(bytes, std::move(text),
               settle_wide(wide_runs(masks.wide_le, StringEncoding::Utf16le, bytes.size(), least),
                           wide_runs(masks.wide_be, StringEncoding::Utf16be, bytes.size(), least)),
               least);
}

/// Bytes at either end of a piece whose bits depend on what lies beyond: a sequence of UTF-8 has at most four.
constexpr std::size_t context = 4;

/// Places before which a string may begin or end, but that none crosses: a word of a mask for each 64.
class Cuts {
 public:
  Cuts(const TextMasks& masks, std::size_t bytes) : masks_(masks), bytes_(bytes) {}

  /// The first place at or behind `context`; nothing when there is none `context` bytes before the end.
  std::optional<std::size_t> first() const {
    for (std::size_t i = 0; i < words(); ++i)
      if (const Word cuts = inner(i)) return i * 64 + static_cast<std::size_t>(std::countr_zero(cuts));
    return std::nullopt;
  }
  std::optional<std::size_t> last() const {
    for (std::size_t i = words(); i-- > 0;)
      if (const Word cuts = inner(i)) return i * 64 + 63 - static_cast<std::size_t>(std::countl_zero(cuts));
    return std::nullopt;
  }

 private:
  std::size_t words() const { return bytes_ / 64 + (bytes_ % 64 != 0 ? 1 : 0); }

  static Word shifted(const std::vector<Word>& mask, std::size_t i, unsigned by) {
    return mask[i] << by | (i > 0 ? mask[i - 1] >> (64 - by) : 0);
  }

  /// A string crosses the place before byte k when it goes on there, or when k is the second half of a character.
  Word crossed(std::size_t i) const {
    Word all = masks_.text.empty() ? 0 : masks_.text[i] & shifted(masks_.text, i, 1);
    for (const auto* mask : {&masks_.wide_le, &masks_.wide_be})
      if (!mask->empty()) all |= shifted(*mask, i, 1) | ((*mask)[i] & shifted(*mask, i, 2));
    return all;
  }

  /// Cuts of word i that are far enough from both ends.
  Word inner(std::size_t i) const {
    Word cuts = ~crossed(i);
    if (i == 0) cuts &= ~Word{0} << context;
    if (bytes_ < 2 * context) return 0;
    const std::size_t end = bytes_ - context + 1, base = i * 64;
    if (base >= end) return 0;
    return end - base < 64 ? cuts & ((Word{1} << (end - base)) - 1) : cuts;
  }

  const TextMasks& masks_;
  std::size_t bytes_;
};

/// Clears the bits before `begin` and from `end` on.
void keep(std::vector<Word>& mask, std::size_t begin, std::size_t end) {
  if (mask.empty()) return;
  std::fill_n(mask.begin(), begin / 64, 0);
  mask[begin / 64] &= ~Word{0} << begin % 64;
  if (end / 64 >= mask.size()) return;
  mask[end / 64] &= (Word{1} << end % 64) - 1;
  std::fill(mask.begin() + static_cast<std::ptrdiff_t>(end / 64) + 1, mask.end(), 0);
}

}  // namespace

std::vector<FoundString> find_strings(std::span<const std::uint8_t> bytes, const TextMaskOptions& encodings,
                                      std::size_t min_characters) {
  TextMasks masks;
  fill_text_masks(bytes, encodings, masks);
  return strings_of(bytes, masks, std::max<std::size_t>(min_characters, 1));
}

InnerStrings find_inner_strings(std::span<const std::uint8_t> bytes, const TextMaskOptions& encodings,
                                std::size_t min_characters) {
  TextMasks masks;
  fill_text_masks(bytes, encodings, masks);
  const Cuts cuts(masks, bytes.size());
  const auto first = cuts.first();
  if (!first) return {};
  InnerStrings inner{*first, *cuts.last(), {}};
  for (auto* mask : {&masks.text, &masks.wide_le, &masks.wide_be}) keep(*mask, inner.begin, inner.end);
  inner.strings = strings_of(bytes, masks, std::max<std::size_t>(min_characters, 1));
  return inner;
}

}  // namespace vmscan
