// How many runs of text there are, without a list of them: chunk by chunk, in plain loops that compilers turn into
// vector code; included by sources that are compiled for one instruction set each (x86/block_kernel.h says what that
// means).
#pragma once

#include "libvmscan/strings/text_masks.h"

namespace vmscan::kernels {
namespace {

using Word = std::uint64_t;

constexpr std::size_t chunk_words = 64;  // looked at together: what is noted of them stays in the nearest cache

// Shifts over the border of a word.
[[gnu::always_inline]] inline Word down(Word word, Word next, std::size_t by) { return word >> by | next << (64 - by); }
[[gnu::always_inline]] inline Word up(Word word, Word before, std::size_t by) {
  return word << by | before >> (64 - by);
}

/// How many bits are set, in parts: for each 16 bits, there. So many words can be added up before sum_of_parts().
inline Word count_in_parts(Word bits) {
  bits -= bits >> 1 & 0x5555555555555555U;
  bits = (bits & 0x3333333333333333U) + (bits >> 2 & 0x3333333333333333U);
  bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0FU;
  return (bits + (bits >> 8)) & 0x00FF00FF00FF00FFU;
}

/// The same for three words together, in which no two neighbours are set.
inline Word count_three_in_parts(Word a, Word b, Word c) {
  constexpr Word every_second = 0x5555555555555555U;
  const auto in_pairs = [](Word bits) { return (bits | bits >> 1) & every_second; };
  Word bits = in_pairs(a) + in_pairs(b) + in_pairs(c);
  bits = (bits & 0x3333333333333333U) + (bits >> 2 & 0x3333333333333333U);
  bits = (bits & 0x0F0F0F0F0F0F0F0FU) + (bits >> 4 & 0x0F0F0F0F0F0F0F0FU);
  return (bits + (bits >> 8)) & 0x00FF00FF00FF00FFU;
}

inline Word sum_of_parts(Word parts) {  // without a multiplication, which not every vector unit has
  parts += parts >> 16;
  return (parts + (parts >> 32)) & 0xFFFF;
}

/// Which of at most 64 words are not 0. Without a branch, as no processor would guess it well.
inline Word words_with_any(const Word* words, std::size_t count) {
  Word found = 0;
  for (std::size_t i = 0; i < count; ++i) found |= Word{words[i] != 0} << i;
  return found;
}

/// Where the masks of a chunk are written. Null: not asked for; `inner` goes with `text`.
struct ChunkMasks {
  Word *text, *inner, *wide_le, *wide_be;

  void clear(std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (text != nullptr) text[i] = inner[i] = 0;
      if (wide_le != nullptr) wide_le[i] = 0;
      if (wide_be != nullptr) wide_be[i] = 0;
    }
  }
};

/// A run counts where it begins. So a word waits for the one behind it: the last of a chunk for the next chunk.
class RunCounter {
 public:
  /// See TextMaskKernel::count.
  RunCounter(std::size_t least, RunCount& runs) : least_(least), runs_(runs) {}

  /// Where the masks of the next chunk belong.
  ChunkMasks masks(const TextMaskOptions& options) {
    return {options.text ? text_ + 2 : nullptr, inner_ + 2, options.wide_le ? wide_ + 2 : nullptr, nullptr};
  }
  /// Forgets the first `bits` bits of the chunk, fewer than 64.
  void drop(std::size_t bits) {
    const Word kept = ~Word{0} << bits;
    text_[2] &= kept, inner_[2] &= kept, wide_[2] &= kept;
  }
  /// The chunk has so many words and begins with word `first`.
  void add(std::size_t first, std::size_t count) {
    const Word shared = least_ == 3 ? count_three(count) : count_any(count);
    if (shared != 0) note_shared(first, count);
    for (Word* const row : {text_, inner_, wide_}) row[0] = row[count], row[1] = row[count + 1];
  }
  /// A chunk, also one that holds nothing, or the end: `first` is the word behind the last.
  void add_nothing(std::size_t first) {
    if ((text_[1] | wide_[1]) != 0) {
      text_[2] = inner_[2] = wide_[2] = 0;
      add(first, 1);
    }
    for (Word* const row : {text_, inner_, wide_}) row[0] = row[1] = 0;
  }

 private:
  using Row = Word[chunk_words + 2];  // the first two words are the last of the chunk before

  /// From one character to the next, if that belongs to the run: a sum moves a bit on over all of a row of inner bytes.
  [[gnu::always_inline]] static Word move_on(Word marks, Word text, Word inner) {
    return (marks + marks + inner) & ~inner & text;
  }

  /// The usual length. Returns whether runs share a character.
  Word count_three(std::size_t count) {
    Word parts = 0, any_shared = 0;
    for (std::size_t i = 1; i <= count; ++i) {
      const Word text = text_[i], inner = inner_[i], before = up(text, text_[i - 1], 1), starts = text & ~before;
      // Three characters have at most twelve bytes: half of a word sees to where its runs go on.
      const Word far_text = down(text, text_[i + 1], 32), far_inner = down(inner, inner_[i + 1], 32);
      const Word near = move_on(move_on(starts & 0xFFFFFFFFU, text, inner), text, inner);
      const Word far = move_on(move_on(starts >> 32, far_text, far_inner), far_text, far_inner);
      const Word wide = wide_[i], two_more = down(wide, wide_[i + 1], 2) & down(wide, wide_[i + 1], 4);
      const Word wide_marks = wide & ~up(wide, wide_[i - 1], 2) & two_more;
      shared_[i] = wide_marks & text & before & up(text, text_[i - 1], 2);
      any_shared |= shared_[i];
      parts += count_three_in_parts(near, far, wide_marks);
    }
    runs_.found += sum_of_parts(parts);
    return any_shared;
  }

  Word count_any(std::size_t count) {
    Row marks, wide_marks, doubts;  // runs of enough bytes; in doubt where some of the first do not begin a character
    for (std::size_t i = 1; i <= count; ++i) {
      marks[i] = text_[i] & ~up(text_[i], text_[i - 1], 1);
      wide_marks[i] = wide_[i] & ~up(wide_[i], wide_[i - 1], 2);
      shared_[i] = wide_[i] & text_[i];
      doubts[i] = 0;
    }
    for (std::size_t k = 1; k < least_; ++k)
      for (std::size_t i = 1; i <= count; ++i) {
        marks[i] &= down(text_[i], text_[i + 1], k);
        wide_marks[i] &= down(wide_[i], wide_[i + 1], 2 * k);
        shared_[i] &= up(text_[i], text_[i - 1], k);
        doubts[i] |= down(inner_[i], inner_[i + 1], k);
      }
    Word parts = 0, any_shared = 0;
    for (std::size_t i = 1; i <= count; ++i) {
      doubts[i] &= marks[i];
      parts += count_in_parts(marks[i] & ~doubts[i]) + count_in_parts(wide_marks[i]);
      shared_[i] &= wide_marks[i];
      any_shared |= shared_[i];
    }
    runs_.found += sum_of_parts(parts);
    for (Word words = words_with_any(doubts + 1, count); words != 0; words &= words - 1) {
      const auto i = static_cast<std::size_t>(__builtin_ctzll(words)) + 1;
      for (Word left = doubts[i]; left != 0; left &= left - 1)
        runs_.found += is_enough(i, static_cast<std::size_t>(__builtin_ctzll(left)));
    }
    return any_shared;
  }

  /// Whether the run at a bit of word i has enough characters: 64 bytes tell it, as none has more than four.
  bool is_enough(std::size_t i, std::size_t bit) const {
    const auto from = [&](const Word* row) { return bit == 0 ? row[i] : down(row[i], row[i + 1], bit); };
    const Word text = from(text_), run = text & ~(text + 1);  // up to the first 0
    return sum_of_parts(count_in_parts(run & ~from(inner_))) >= least_;
  }

  void note_shared(std::size_t first, std::size_t count) {
    for (std::size_t i = 1; i <= count; ++i) {
      for (Word left = shared_[i]; left != 0; left &= left - 1, ++runs_.shared)
        if (runs_.shared < runs_.shared_at.size())
          runs_.shared_at[runs_.shared] = (first + i - 2) * 64 + static_cast<std::size_t>(__builtin_ctzll(left));
    }
  }

  std::size_t least_;
  RunCount& runs_;
  Row text_ = {}, inner_ = {}, wide_ = {};
  Row shared_;
};

}  // namespace
}  // namespace vmscan::kernels
