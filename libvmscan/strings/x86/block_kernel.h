// The scan of 64 bytes at a time, for any vector type: `Block` loads 64 bytes and answers with 64 bits.
// Included by sources that are compiled for one instruction set each, so everything here stays in their namespace, and
// nothing of the standard library that the linker could share between them is called in here.
#pragma once

#include "libvmscan/strings/printable.h"
#include "libvmscan/strings/text_masks.h"

namespace vmscan::kernels {
namespace {

using Word = std::uint64_t;

constexpr std::size_t prefetched = 2048;  // bytes ahead
constexpr std::size_t chunk_blocks = 64;  // looked at together: what is noted of them stays in the nearest cache

/// What the blocks of a chunk hold, and the block behind it: a bit for each byte.
struct Classes {
  Word ascii[chunk_blocks + 1], zero[chunk_blocks + 1];
  Word continuation[chunk_blocks + 1];  // 80 to BF
  Word latin[chunk_blocks + 1];         // A0 to FF
  Word c2[chunk_blocks + 1];            // C2 alone
  Word two[chunk_blocks + 1];           // C2 to DF, with which sequences of two begin

  template <class Block>
  [[gnu::always_inline]] void set(std::size_t i, const Block& block) {  // no branch: no processor would guess it well
    ascii[i] = block.ascii();
    zero[i] = block.equals(0);
    continuation[i] = block.continuation();
    latin[i] = block.at_least(0xA0);
    c2[i] = block.equals(0xC2);
    two[i] = block.in_range(0xC2, 0xDF);
  }
  void clear(std::size_t i) { ascii[i] = zero[i] = continuation[i] = latin[i] = c2[i] = two[i] = 0; }

  /// E0 to FF, with which longer sequences begin, and C0 and C1, with which nothing does: one mask less to write.
  [[gnu::always_inline]] Word longer(std::size_t i) const { return latin[i] & ~continuation[i] & ~two[i]; }
  [[gnu::always_inline]] Word latin1(std::size_t i) const { return ascii[i] | latin[i]; }
};

// Shifts over the border of a block.
[[gnu::always_inline]] inline Word down(Word word, Word next, int by) { return word >> by | next << (64 - by); }
[[gnu::always_inline]] inline Word up(Word word, Word before, int by) { return word << by | before >> (64 - by); }

/// Where printable sequences of UTF-8 begin, by their length.
struct Starts {
  Word two = 0, three = 0, four = 0;
};

/// Adds the longer sequences. `leads` are all bytes from E0 on with two continuations behind them; `continuation` and
/// `next` tell whether a third follows.
template <class Block>
[[gnu::noinline]] void find_longer(const std::uint8_t* at, Word leads, Word continuation, Word next, Starts& s) {
  const Block block(at);
  const Word four = block.equals(0xF0);
  s.three = leads & block.in_range(0xE0, 0xEF) & ~block.equals(0xEE);  // EE: private use
  s.four = leads & four & down(continuation, next, 3);
  // Leads behind which not every sequence is printable. All of the sequence is there, so it can be looked at.
  const Word doubtful = four | block.equals(0xE0) | block.equals(0xE2) | block.equals(0xED) | block.equals(0xEF);
  for (Word doubt = (s.three | s.four) & doubtful; doubt != 0; doubt &= doubt - 1) {
    const int i = __builtin_ctzll(doubt);
    const Word bit = doubt & -doubt;
    const std::size_t size = s.three & bit ? 3 : 4;
    if (printable_utf8({at + i, size}) == size) continue;
    s.three &= ~bit, s.four &= ~bit;
  }
}

/// The masks as they are written, without looking into the vectors again and again.
struct Output {
  Word *text, *inner, *wide_le, *wide_be;  // null: not asked for
};

/// Chunk by chunk: notes what the bytes are, then works on whole rows of words in plain loops, which compilers turn
/// into vector code. Only longer sequences of UTF-8 are looked at one by one.
template <class Block>
class Filler {
 public:
  Filler(std::span<const std::uint8_t> bytes, bool utf8, const Output& out)
      : data_(bytes.data()), size_(bytes.size()), blocks_((bytes.size() + 63) / 64), utf8_(utf8), out_(out) {}

  void fill() {
    for (std::size_t first = 0; first < blocks_; first += chunk_blocks) {
      const std::size_t count = blocks_ - first < chunk_blocks ? blocks_ - first : chunk_blocks;
      if (out_.wide_be == nullptr && only_zeros(first, count)) {
        write_nothing(first, count);
        continue;
      }
      classify(first, count);
      if (out_.text != nullptr && utf8_) {
        find_sequences(first, count);
        write_text(first, count);
      } else if (out_.text != nullptr) {
        for (std::size_t i = 0; i < count; ++i) out_.text[first + i] = classes_.ascii[i], out_.inner[first + i] = 0;
      }
      // The last byte of all has no zero behind it: nothing lies behind the end.
      if (out_.wide_le != nullptr) write_wide_le(out_.wide_le + first, count);
      if (out_.wide_be != nullptr) write_wide_be(out_.wide_be + first, count);
    }
  }

 private:
  /// Whether the chunk holds nothing, as much of a process's memory does.
  bool only_zeros(std::size_t first, std::size_t count) const {
    if ((first + count) * 64 > size_) return false;
    const auto zero = [&](std::size_t i) { return Block(data_ + (first + i) * 64).equals(0); };
    Word all = zero(0) & zero(count - 1);
    for (std::size_t i = 1; all == ~Word{0} && i + 1 < count; ++i) all = zero(i);
    return all == ~Word{0};
  }

  void write_nothing(std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) {
      if (out_.text != nullptr) out_.text[i] = out_.inner[i] = 0;
      if (out_.wide_le != nullptr) out_.wide_le[i] = 0;
    }
    last_ = {};
  }

  void classify(std::size_t first, std::size_t count) {
    const std::size_t whole = size_ / 64 - first;  // blocks
    const std::size_t last = whole < count + 1 ? whole : count + 1;
    for (std::size_t i = 0; i < last; ++i) {
      __builtin_prefetch(data_ + (first + i) * 64 + prefetched);
      classes_.set(i, Block(data_ + (first + i) * 64));
    }
    for (std::size_t i = last; i <= count; ++i) {
      if (first + i < blocks_) {
        alignas(64) std::uint8_t rest[64];
        copy_last(first + i, rest);
        classes_.set(i, Block(rest));
      } else {
        classes_.clear(i);
      }
    }
  }

  void copy_last(std::size_t block, std::uint8_t* last) const {
    const std::size_t at = block * 64, left = size_ - at;
    for (std::size_t i = 0; i < 64; ++i) last[i] = i < left ? data_[at + i] : 1;  // 1 belongs to no text
  }

  /// Sets two_, three_ and four_ from their second word on; the first is the last of the chunk before.
  void find_sequences(std::size_t first, std::size_t count) {
    two_[0] = last_.two, three_[0] = last_.three, four_[0] = last_.four;
    const Classes& c = classes_;
    Word any = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Word followed = down(c.continuation[i], c.continuation[i + 1], 1);
      const Word printable = down(c.latin[i], c.latin[i + 1], 1) | ~c.c2[i];  // C2 80 to C2 9F are control characters
      two_[i + 1] = c.two[i] & followed & printable;
      three_[i + 1] = four_[i + 1] = 0;
      leads_[i] = c.longer(i) & followed & down(c.continuation[i], c.continuation[i + 1], 2);
      any |= leads_[i];
    }
    if (any != 0) find_longer_in(first, count);
    last_ = {two_[count], three_[count], four_[count]};
  }

  void find_longer_in(std::size_t first, std::size_t count) {
    Word blocks = 0;  // which have leads: without a branch, as no processor would guess it well
    for (std::size_t i = 0; i < count; ++i) blocks |= Word{leads_[i] != 0} << i;
    for (; blocks != 0; blocks &= blocks - 1) look_at_leads(first, static_cast<std::size_t>(__builtin_ctzll(blocks)));
  }

  [[gnu::always_inline]] void look_at_leads(std::size_t first, std::size_t i) {
    alignas(64) std::uint8_t last[64];
    const std::size_t block = first + i;
    const bool whole = size_ - block * 64 >= 64;
    if (!whole) copy_last(block, last);
    Starts starts;
    find_longer<Block>(whole ? data_ + block * 64 : last, leads_[i], classes_.continuation[i],
                       classes_.continuation[i + 1], starts);
    three_[i + 1] = starts.three, four_[i + 1] = starts.four;
  }

  void write_text(std::size_t first, std::size_t count) {
    Word* const __restrict text = out_.text + first;
    Word* const __restrict inner = out_.inner + first;
    for (std::size_t i = 0; i < count; ++i) {
      const Word longer = three_[i + 1] | four_[i + 1], longer_before = three_[i] | four_[i];
      const Word starts = two_[i + 1] | longer, starts_before = two_[i] | longer_before;
      const Word rest = up(starts, starts_before, 1) | up(longer, longer_before, 2) | up(four_[i + 1], four_[i], 3);
      inner[i] = rest;
      text[i] = classes_.ascii[i] | starts | rest;
    }
  }

  void write_wide_le(Word* __restrict wide, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i)
      wide[i] = classes_.latin1(i) & down(classes_.zero[i], classes_.zero[i + 1], 1);
  }
  void write_wide_be(Word* __restrict wide, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i)
      wide[i] = classes_.zero[i] & down(classes_.latin1(i), classes_.latin1(i + 1), 1);
  }

  const std::uint8_t* data_;
  std::size_t size_, blocks_;
  bool utf8_;
  Output out_;
  Classes classes_;
  Word leads_[chunk_blocks];                                                       // of sequences of three or more
  Word two_[chunk_blocks + 1], three_[chunk_blocks + 1], four_[chunk_blocks + 1];  // where sequences begin
  Starts last_ = {};                                                               // of the chunk before
};

template <class Block>
void fill_blocks(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
  resize(masks, bytes.size(), options);
  const Output out{options.text ? masks.text.data() : nullptr, masks.inner.data(),
                   options.wide_le ? masks.wide_le.data() : nullptr, options.wide_be ? masks.wide_be.data() : nullptr};
  Filler<Block>(bytes, options.utf8, out).fill();
}

}  // namespace
}  // namespace vmscan::kernels
