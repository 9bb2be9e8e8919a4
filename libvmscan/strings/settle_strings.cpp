#include "libvmscan/strings/settle_strings.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libvmscan/strings/mask_runs.h"

namespace vmscan {
namespace {

using Found = std::vector<FoundString>;

std::size_t end_of(const FoundString& run) { return run.offset + run.size; }
bool overlap(const FoundString& a, const FoundString& b) {
  return a.size > 0 && b.size > 0 && a.offset < end_of(b) && b.offset < end_of(a);
}
bool is_earlier(const FoundString& a, const FoundString& b) { return a.offset < b.offset; }

/// Calls `take(begin, end)` for each run.
template <class Take>
void each(const MaskRuns& runs, const Take& take) {
  for (std::size_t i = 0; i < runs.words(); ++i)
    for (std::uint64_t starts = runs.starts(i); starts != 0; starts &= starts - 1) {
      const std::size_t begin = i * 64 + static_cast<std::size_t>(std::countr_zero(starts));
      take(begin, runs.end_of(begin));
    }
}

Found text_runs(const TextMasks& masks, std::size_t bytes, std::size_t least) {
  Found found;
  each(MaskRuns(masks.text, 1, least), [&](std::size_t begin, std::size_t end) {
    FoundString run{begin, std::min(end, bytes) - begin, 0, StringEncoding::Ascii};
    measure(masks, run);
    if (run.characters >= least) found.push_back(run);
  });
  return found;
}

Found wide_runs(const std::vector<std::uint64_t>& mask, StringEncoding encoding, std::size_t bytes, std::size_t least) {
  Found found;
  each(MaskRuns(mask, 2, least), [&](std::size_t begin, std::size_t end) {
    const std::size_t characters = (std::min(end, bytes) - begin) / 2;
    if (characters >= least) found.push_back({begin, characters * 2, characters, encoding});
  });
  return found;
}

/// Of overlapping runs the longer stays, the LE one when equal.
Found settle_wide(const Found& little, const Found& big) {
  Found all, kept;
  std::merge(little.begin(), little.end(), big.begin(), big.end(), std::back_inserter(all), is_earlier);
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

}  // namespace

void measure(const TextMasks& masks, FoundString& text) {
  const std::size_t inner = bits_in(masks.inner, text.offset, end_of(text));
  text.characters = text.size - inner;
  text.encoding = inner == 0 ? StringEncoding::Ascii : StringEncoding::Utf8;
}

void settle(const TextMasks& masks, FoundString& text, FoundString& wide) {
  const auto is_inner = [&](std::size_t at) { return (masks.inner[at / 64] >> at % 64 & 1) != 0; };
  if (text.characters >= wide.characters) {
    if (text.offset <= wide.offset) wide.offset += 2;
    wide.size -= 2, wide.characters -= 1;
    return;
  }
  if (end_of(text) == wide.offset + 1) {
    do --text.size;
    while (text.size > 0 && is_inner(end_of(text)));
  } else {
    do ++text.offset, --text.size;
    while (text.size > 0 && is_inner(text.offset));
  }
  measure(masks, text);
}

void settle_strings(const TextMasks& masks, std::size_t bytes, std::size_t least, std::vector<FoundString>& found) {
  Found text = text_runs(masks, bytes, least);
  Found wide = settle_wide(wide_runs(masks.wide_le, StringEncoding::Utf16le, bytes, least),
                           wide_runs(masks.wide_be, StringEncoding::Utf16be, bytes, least));
  std::size_t at = 0;
  for (FoundString& run : text) {
    while (at < wide.size() && end_of(wide[at]) <= run.offset) ++at;
    for (std::size_t i = at; i < wide.size() && wide[i].offset < end_of(run); ++i)
      if (overlap(run, wide[i])) settle(masks, run, wide[i]);
  }
  found.clear();
  std::merge(text.begin(), text.end(), wide.begin(), wide.end(), std::back_inserter(found), is_earlier);
  std::erase_if(found, [least](const FoundString& run) { return run.characters < least; });
}

}  // namespace vmscan
