// The strings in a piece of memory: runs of printable characters (printable.h) in ASCII, UTF-8 and UTF-16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libvmscan/strings/text_masks.h"

namespace vmscan {

enum class StringEncoding : std::uint8_t { Ascii, Utf8, Utf16le, Utf16be };

/// A run that cannot be made longer. Ascii when it holds nothing else, even where UTF-8 was looked for.
struct FoundString {
  std::size_t offset = 0, size = 0;  // bytes
  std::size_t characters = 0;
  StringEncoding encoding = StringEncoding::Ascii;
  friend bool operator==(const FoundString&, const FoundString&) = default;
};

/// A part of some bytes, between two places that no string crosses whatever lies around those bytes.
struct InnerStrings {
  std::size_t begin = 0, end = 0;    // the first and the last such place; both 0: there is none
  std::vector<FoundString> strings;  // those in between
  std::size_t count = 0;
};

/// Finds runs of at least `min_characters` (0 is 1), sorted by offset. No byte is in two of them: a character that a
/// run of bytes and one of UTF-16 share goes to the longer (in characters; the run of bytes when equal) and a run that
/// becomes too short by that is left out; of overlapping UTF-16LE and UTF-16BE runs the longer stays (LE when equal).
class StringFinder {
 public:
  StringFinder(const TextMaskOptions& encodings, std::size_t min_characters)
      : encodings_(encodings), least_(min_characters == 0 ? 1 : min_characters) {}

  /// Replaces `found`.
  void find(std::span<const std::uint8_t> bytes, std::vector<FoundString>& found);
  /// Replaces `inner` by what a piece of memory tells for itself; what lies before `inner.begin` and behind `inner.end`
  /// must be searched together with its neighbours.
  void find_inner(std::span<const std::uint8_t> bytes, InnerStrings& inner);
  /// The same places, and how many strings lie between them; what `strings` holds then is undefined.
  void count_inner(std::span<const std::uint8_t> bytes, InnerStrings& inner);

 private:
  void find_in_masks(std::size_t bytes, std::vector<FoundString>& found) const;
  void find_cuts(std::span<const std::uint8_t> bytes, InnerStrings& inner);
  bool loses_one(std::span<const std::uint8_t> bytes, std::size_t at);

  TextMaskOptions encodings_;
  std::size_t least_;
  TextMasks masks_;
};

inline std::vector<FoundString> find_strings(std::span<const std::uint8_t> bytes, const TextMaskOptions& encodings,
                                             std::size_t min_characters) {
  std::vector<FoundString> found;
  StringFinder(encodings, min_characters).find(bytes, found);
  return found;
}

}  // namespace vmscan
