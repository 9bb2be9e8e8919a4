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
  Word ascii = 0, zero = 0, high = 0;
  Word latin = 0;                        // A0 to FF
  Word continuation = 0;                 // 80 to BF
  Word lead2 = 0, lead3 = 0, lead4 = 0;  // C2 to DF, E0 to EF but EE (all private use), F0
  Word doubtful = 0;                     // leads behind which not every sequence is printable
};

// Shifts over the border of a block.
inline Word down(Word word, Word next, int by) { return word >> by | next << (64 - by); }
inline Word up(Word word, Word before, int by) { return word << by | before >> (64 - by); }

template <class Block>
inline Classes classify(const Block& block, const TextMaskOptions& options) {
  Classes c;
  if (block.all_zero()) {
    c.zero = ~Word{0};
    return c;
  }
  c.ascii = block.in_range(0x20, 0x7E) | block.equals('\t');
  c.zero = block.equals(0);
  c.high = block.high_bits();
  if (c.high == 0) return c;
  c.latin = block.in_range(0xA0, 0xFF);
  if (!options.utf8) return c;
  c.continuation = block.in_range(0x80, 0xBF);
  if (c.continuation == c.high) return c;  // no lead
  c.lead2 = block.in_range(0xC2, 0xDF);
  c.lead3 = block.in_range(0xE0, 0xEF) & ~block.equals(0xEE);
  c.lead4 = block.equals(0xF0);
  c.doubtful =
      block.equals(0xC2) | block.equals(0xE0) | block.equals(0xE2) | block.equals(0xED) | block.equals(0xEF) | c.lead4;
  return c;
}

/// Where UTF-8 sequences begin, by their length.
struct Starts {
  Word two = 0, three = 0, four = 0;
};

/// `at` is the block's first byte; sequences are known to be whole where a bit is set, so they can be looked at.
inline Starts find_starts(const Classes& c, Word next, const std::uint8_t* at) {
  const Word one = down(c.continuation, next, 1);
  Starts s{c.lead2 & one, 0, 0};
  if ((c.lead3 | c.lead4) != 0) {
    const Word two = one & down(c.continuation, next, 2);
    s.three = c.lead3 & two;
    s.four = c.lead4 & two & down(c.continuation, next, 3);
  }
  for (Word doubt = (s.two | s.three | s.four) & c.doubtful; doubt != 0; doubt &= doubt - 1) {
    const int i = __builtin_ctzll(doubt);
    const Word bit = doubt & -doubt;
    const std::size_t size = s.two & bit ? 2 : s.three & bit ? 3 : 4;
    if (printable_utf8({at + i, size}) == size) continue;
    s.two &= ~bit, s.three &= ~bit, s.four &= ~bit;
  }
  return s;
}

template <class Block>
class Filler {
 public:
  Filler(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks)
      : bytes_(bytes), options_(options), masks_(masks) {}

  void fill() {
    const std::size_t blocks = (bytes_.size() + 63) / 64;
    if (blocks == 0) return;
    Classes current = look(0);
    for (std::size_t i = 0; i < blocks; ++i) {
      const Classes next = i + 1 < blocks ? look(i + 1) : Classes{};
      finish(i, current, next);
      current = next;
    }
  }

 private:
  Classes look(std::size_t block) const {
    const std::size_t at = block * 64, left = bytes_.size() - at;
    if (left >= 64) return classify(Block(bytes_.data() + at), options_);
    alignas(64) std::uint8_t last[64];
    for (std::size_t i = 0; i < 64; ++i) last[i] = i < left ? bytes_[at + i] : 1;  // 1 belongs to no text
    return classify(Block(last), options_);
  }

  void finish(std::size_t i, const Classes& c, const Classes& next) {
    if (options_.text) masks_.text[i] = options_.utf8 ? text(i, c, next) : c.ascii;
    // The last byte of all has no zero behind it: `next` of the last block is empty, and so is what lies behind the
    // end.
    if (options_.wide_le) masks_.wide_le[i] = (c.ascii | c.latin) & down(c.zero, next.zero, 1);
    if (options_.wide_be) masks_.wide_be[i] = c.zero & down(c.ascii | c.latin, next.ascii | next.latin, 1);
  }

  Word text(std::size_t i, const Classes& c, const Classes& next) {
    Starts s;
    if ((c.lead2 | c.lead3 | c.lead4) != 0) s = find_starts(c, next.continuation, bytes_.data() + i * 64);
    const Word second = s.two | s.three | s.four, before = before_.two | before_.three | before_.four;
    const Word covered = second | up(second, before, 1) | up(s.three | s.four, before_.three | before_.four, 2) |
                         up(s.four, before_.four, 3);
    before_ = s;
    return c.ascii | covered;
  }

  std::span<const std::uint8_t> bytes_;
  const TextMaskOptions& options_;
  TextMasks& masks_;
  Starts before_;
};

template <class Block>
void fill_blocks(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
  resize(masks, bytes.size(), options);
  Filler<Block>(bytes, options, masks).fill();
}

}  // namespace
}  // namespace vmscan::kernels
