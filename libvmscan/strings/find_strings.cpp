#include "libvmscan/strings/find_strings.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libvmscan/strings/mask_cuts.h"
#include "libvmscan/strings/mask_runs.h"
#include "libvmscan/strings/settle_strings.h"

namespace vmscan {
namespace {

using Word = MaskRuns::Word;

constexpr std::size_t nearby_bytes = 512;  // of a piece, at either end: where a cut is looked for first

/// The usual case: text and UTF-16LE, at least two characters. A character of UTF-16LE has a zero behind it and, but
/// for the first of its run, one before it. So a run of bytes (of two or more) shares at most its last byte, and that
/// with the first character of a run of UTF-16LE; no two runs of UTF-16LE share any.
class QuickFinder {
 public:
  QuickFinder(const TextMasks& masks, std::size_t bytes, std::size_t least)
      : masks_(masks), bytes_(bytes), least_(least), text_(masks.text, 1, least), wide_(masks.wide_le, 2, least) {}

  static bool can(const TextMaskOptions& encodings, std::size_t least) {
    return !encodings.wide_be && least >= 2 && least <= RunCount::most_least;
  }

  void find(std::vector<FoundString>& found) const {
    found.clear();
    RunStarts starts;
    const auto fill = text_mask_kernels().back().find_starts;
    const std::size_t words = std::max(masks_.text.size(), masks_.wide_le.size());
    for (std::size_t at = 0; at < words; at += starts.count) {
      fill(masks_, at, least_, starts);
      for (std::size_t i = 0; i < starts.count; ++i)
        for (Word all = starts.text[i] | starts.wide[i]; all != 0; all &= all - 1) {
          const std::size_t begin = (at + i) * 64 + static_cast<std::size_t>(std::countr_zero(all));
          if ((starts.wide[i] & all & -all) != 0)
            add_wide(begin, found);
          else if (const FoundString run = text_at(begin); run.characters >= least_)
            found.push_back(run);
        }
    }
  }

  /// Characters of the run of bytes that ends with the byte at `at`, and of that of UTF-16LE that begins there.
  std::pair<std::size_t, std::size_t> around(std::size_t at) const {
    std::size_t begin = at;
    while (begin > 0 && (masks_.text[(begin - 1) / 64] >> (begin - 1) % 64 & 1) != 0) --begin;
    return {text_at(begin).characters, wide_at(at).characters};
  }

 private:
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

  const TextMasks& masks_;
  std::size_t bytes_, least_;
  MaskRuns text_, wide_;
};

}  // namespace

void StringFinder::find(std::span<const std::uint8_t> bytes, std::vector<FoundString>& found) {
  fill_text_masks(bytes, encodings_, masks_);
  find_in_masks(bytes.size(), found);
}

void StringFinder::find_in_masks(std::size_t bytes, std::vector<FoundString>& found) const {
  if (QuickFinder::can(encodings_, least_))
    QuickFinder(masks_, bytes, least_).find(found);
  else
    settle_strings(masks_, bytes, least_, found);
}

void StringFinder::find_inner(std::span<const std::uint8_t> bytes, InnerStrings& inner) {
  fill_text_masks(bytes, encodings_, masks_);
  inner.begin = inner.end = inner.count = 0;
  inner.strings.clear();
  const MaskCuts cuts(masks_, bytes.size());
  const auto first = cuts.first();
  if (!first) return;
  inner.begin = *first;
  inner.end = cuts.last().value_or(*first);
  keep_bits(masks_, inner.begin, inner.end);
  find_in_masks(bytes.size(), inner.strings);
  inner.count = inner.strings.size();
}

/// As find_inner() finds it; a cut is seldom far from either end.
void StringFinder::find_cuts(std::span<const std::uint8_t> bytes, InnerStrings& inner) {
  inner.begin = inner.end = 0;
  std::optional<std::size_t> first, last;
  for (std::size_t size = 0; !first && size < bytes.size();) {
    size = std::min(bytes.size(), std::max(nearby_bytes, size * 8));
    fill_text_masks(bytes.first(size), encodings_, masks_);
    first = MaskCuts(masks_, size).first();
  }
  if (!first) return;
  for (std::size_t size = 0; !last;) {
    size = std::min(bytes.size(), std::max(nearby_bytes, size * 8));
    fill_text_masks(bytes.last(size), encodings_, masks_);
    last = MaskCuts(masks_, size).last();
    if (last) *last += bytes.size() - size;
  }
  inner.begin = *first;
  inner.end = *last;
}

void StringFinder::count_inner(std::span<const std::uint8_t> bytes, InnerStrings& inner) {
  std::array<std::size_t, 1024> shared_at;
  RunCount runs;
  runs.shared_at = shared_at;
  const bool quick = QuickFinder::can(encodings_, least_);
  if (quick) {
    find_cuts(bytes, inner);
    text_mask_kernels().back().count(bytes.first(inner.end), inner.begin, encodings_, least_, runs);
  }
  if (!quick || runs.shared > shared_at.size()) return find_inner(bytes, inner);
  inner.count = runs.found;
  const auto within = bytes.first(inner.end).subspan(inner.begin);
  for (const std::size_t at : std::span(shared_at).first(runs.shared))
    if (loses_one(within, at - inner.begin)) --inner.count;
}

/// Whether the character at `at` that a run of bytes and one of UTF-16LE share is what one of them cannot spare.
bool StringFinder::loses_one(std::span<const std::uint8_t> bytes, std::size_t at) {
  const std::size_t begin = at - std::min(at, 4 * (least_ + 2)), end = std::min(at + 2 * (least_ + 2), bytes.size());
  fill_text_masks(bytes.subspan(begin, end - begin), encodings_, masks_);
  const auto [text, wide] = QuickFinder(masks_, end - begin, least_).around(at - begin);
  return text >= least_ && std::min(text, wide) == least_;
}

}  // namespace vmscan
