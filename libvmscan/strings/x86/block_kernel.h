// The scan of 64 bytes at a time, for any vector type: `Block` loads 64 bytes and answers with 64 bits.
// Included by sources that are compiled for one instruction set each, so everything here stays in their namespace, and
// nothing of the standard library that the linker could share between them is called in here.
#pragma once

#include "libvmscan/strings/printable.h"
#include "libvmscan/strings/text_masks.h"

namespace vmscan::kernels {
namespace {

using Word = std::uint64_t;

/// What one block of 64 bytes holds.
struct Classes {
  Word ascii = 0, zero = 0;
  Word latin = 0;         // A0 to FF
  Word continuation = 0;  // 80 to BF
  Word two = 0, c2 = 0;   // C2 to DF: first of two bytes; C2 alone
  Word longer = 0;        // E0 to FF: first of three or four bytes, or nothing
};

// Shifts over the border of a block.
inline Word down(Word word, Word next, int by) { return word >> by | next << (64 - by); }
inline Word up(Word word, Word before, int by) { return word << by | before >> (64 - by); }

template <class Block>
[[gnu::always_inline]] inline Classes classify(const Block& block) {
  Classes c;  // without a branch: in memory as it is, no processor guesses them well
  c.ascii = block.in_range(0x20, 0x7E) | block.equals('\t');
  c.zero = block.equals(0);
  c.latin = block.at_least(0xA0);
  c.continuation = block.continuation();
  c.longer = block.at_least(0xE0);
  c.two = block.at_least(0xC2) & ~c.longer;
  c.c2 = block.equals(0xC2);
  return c;
}

/// Where printable sequences of UTF-8 begin, by their length.
struct Starts {
  Word two = 0, three = 0, four = 0;
};

/// Adds the longer sequences. `leads` are bytes from E0 on with two continuations behind them; `continuation` and
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

template <class Block>
class Filler {
 public:
  Filler(std::span<const std::uint8_t> bytes, bool utf8, const Output& out)
      : data_(bytes.data()), size_(bytes.size()), utf8_(utf8), out_(out) {}

  void fill() {
    const std::size_t blocks = (size_ + 63) / 64;
    if (blocks == 0) return;
    Classes current = look(0);
    for (std::size_t i = 0; i < blocks; ++i) {
      const Classes next = i + 1 < blocks ? look(i + 1) : Classes{};
      finish(i, current, next);
      current = next;
    }
  }

 private:
  [[gnu::always_inline]] Classes look(std::size_t block) const {
    if (size_ - block * 64 >= 64) return classify(Block(data_ + block * 64));
    alignas(64) std::uint8_t last[64];
    copy_last(block, last);
    return classify(Block(last));
  }

  void copy_last(std::size_t block, std::uint8_t* last) const {
    const std::size_t at = block * 64, left = size_ - at;
    for (std::size_t i = 0; i < 64; ++i) last[i] = i < left ? data_[at + i] : 1;  // 1 belongs to no text
  }

  [[gnu::always_inline]] void finish(std::size_t i, const Classes& c, const Classes& next) {
    if (out_.text != nullptr) {
      Word starts = 0;
      const Word inner = utf8_ ? inner_of(i, c, next, starts) : 0;
      out_.inner[i] = inner;
      out_.text[i] = c.ascii | starts | inner;
    }
    // The last byte of all has no zero behind it: `next` of the last block is empty, and so is what lies behind the
    // end.
    if (out_.wide_le != nullptr) out_.wide_le[i] = (c.ascii | c.latin) & down(c.zero, next.zero, 1);
    if (out_.wide_be != nullptr) out_.wide_be[i] = c.zero & down(c.ascii | c.latin, next.ascii | next.latin, 1);
  }

  /// The bytes of sequences but for the first ones, which become `starts`. Without a branch for those of two bytes:
  /// one follows from two random bytes so often that pointers are full of them.
  [[gnu::always_inline]] Word inner_of(std::size_t i, const Classes& c, const Classes& next, Word& starts) {
    const Word followed = down(c.continuation, next.continuation, 1);
    const Word printable = down(c.latin, next.latin, 1) | ~c.c2;  // C2 80 to C2 9F are control characters
    Starts s{c.two & followed & printable, 0, 0};
    if (const Word leads = c.longer & followed & down(c.continuation, next.continuation, 2)) {
      alignas(64) std::uint8_t last[64];
      const bool whole = size_ - i * 64 >= 64;
      if (!whole) copy_last(i, last);
      find_longer<Block>(whole ? data_ + i * 64 : last, leads, c.continuation, next.continuation, s);
    }
    starts = s.two | s.three | s.four;
    const Word longer = s.three | s.four;
    const Word rest = crossing_ | starts << 1 | longer << 2 | s.four << 3;
    crossing_ = starts >> 63 | longer >> 62 | s.four >> 61;
    return rest;
  }

  const std::uint8_t* data_;
  std::size_t size_;
  bool utf8_;
  Output out_;
  Word crossing_ = 0;  // bytes of the next block that belong to a sequence of the last one
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
