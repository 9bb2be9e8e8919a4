#include "libvmscan/strings/find_strings.h"

#include <algorithm>

#include "libvmscan/strings/mask_cuts.h"
#include "libvmscan/strings/mask_runs.h"
#include "libvmscan/strings/settle_strings.h"

namespace vmscan {
namespace {

using Word = MaskRuns::Word;

/// The usual case: text and UTF-16LE, at least two characters. A character of UTF-16LE has a zero behind it and, but
/// for the first of its run, one before it. So a run of bytes (of two or more) shares at most its last byte, and that
/// with the first character of a run of UTF-16LE; no two runs of UTF-16LE share any.
class QuickFinder {
 public:
  QuickFinder(const TextMasks& masks, std::size_t bytes, std::size_t least)
      : masks_(masks), bytes_(bytes), least_(least), text_(masks.text, 1, least), wide_(masks.wide_le, 2, least) {}

  static bool can(const TextMaskOptions& encodings, std::size_t least) {
    return !encodings.wide_be && least >= 2 && least <= MaskRuns::exact_least;
  }

  void find(std::vector<FoundString>& found) const {
    found.clear();
    each_start([&](std::size_t at, const RunStarts& starts) {
      for (std::size_t i = 0; i < starts.count; ++i)
        for (Word all = starts.text[i] | starts.wide[i]; all != 0; all &= all - 1) {
          const std::size_t begin = (at + i) * 64 + static_cast<std::size_t>(std::countr_zero(all));
          if ((starts.wide[i] & all & -all) != 0)
            add_wide(begin, found);
          else if (const FoundString run = text_at(begin); run.characters >= least_)
            found.push_back(run);
        }
    });
  }

  std::size_t count() const {
    std::size_t count = 0;
    each_start([&](std::size_t at, const RunStarts& starts) {
      count += starts.found;
      for (std::size_t i = 0; starts.any_shared && i < starts.count; ++i)
        if (starts.shared[i] != 0) count -= count_lost(at + i, starts.shared[i]);
    });
    return count;
  }

 private:
  template <class Take>
  void each_start(const Take& take) const {
    RunStarts starts;
    const auto fill = text_mask_kernels().back().find_starts;
    const std::size_t words = std::max(masks_.text.size(), masks_.wide_le.size());
    for (std::size_t at = 0; at < words; at += starts.count) {
      fill(masks_, at, least_, starts);
      take(at, starts);
    }
  }

  FoundString text_at(std::size_t begin) const {
    FoundString run{begin, std::min(text_.end_of(begin), bytes_) - begin, 0, StringEncoding::Ascii};
    measure(masks_, run);
    return run;
  }
  FoundString wide_at(std::size_t begin) const {
    const std::size_t characters = (std::min(wide_.end_of(begin), bytes_) - begin) / 2;
    return {begin, characters * 2, characters, StringEncoding::Utf16le};
  }

  void add_wide(std::size_t begin, std::vector<FoundString>& found) const {
    FoundString run = wide_at(begin);
    if (!found.empty() && found.back().offset + found.back().size > begin) {
      settle(masks_, found.back(), run);
      if (found.back().characters < least_) found.pop_back();
    }
    if (run.characters >= least_) found.push_back(run);
  }

  /// How many strings are lost because their end is shared: of the two the longer keeps the character, so that the
  /// other is too short if it has the least length.
  std::size_t count_lost(std::size_t i, Word shared) const {
    std::size_t count = 0;
    for (; shared != 0; shared &= shared - 1) {
      const std::size_t at = i * 64 + static_cast<std::size_t>(std::countr_zero(shared));
      std::size_t begin = at;
      while (begin > 0 && (masks_.text[(begin - 1) / 64] >> (begin - 1) % 64 & 1) != 0) --begin;
      const std::size_t characters = text_at(begin).characters;
      if (characters >= least_ && std::min(characters, wide_at(at).characters) == least_) ++count;
    }
    return count;
  }

  const TextMasks& masks_;
  std::size_t bytes_, least_;
  MaskRuns text_, wide_;
};

}  // namespace

void StringFinder::find(std::span<const std::uint8_t> bytes, std::vector<FoundString>& found) {
  fill_text_masks(bytes, encodings_, masks_);
  if (QuickFinder::can(encodings_, least_))
    QuickFinder(masks_, bytes.size(), least_).find(found);
  else
    settle_strings(masks_, bytes.size(), least_, found);
}

void StringFinder::find_inner(std::span<const std::uint8_t> bytes, bool count_only, InnerStrings& inner) {
  fill_text_masks(bytes, encodings_, masks_);
  inner.begin = inner.end = inner.count = 0;
  inner.strings.clear();
  const MaskCuts cuts(masks_, bytes.size());
  const auto first = cuts.first();
  if (!first) return;
  inner.begin = *first;
  inner.end = *cuts.last();
  keep_bits(masks_, inner.begin, inner.end);
  const bool quick = QuickFinder::can(encodings_, least_);
  const QuickFinder finder(masks_, bytes.size(), least_);
  if (quick && count_only) {
    inner.count = finder.count();
    return;
  }
  if (quick)
    finder.find(inner.strings);
  else
    settle_strings(masks_, bytes.size(), least_, inner.strings);
  inner.count = inner.strings.size();
}

}  // namespace vmscan
