// The scan of 64 bytes at a time, for any vector type: `Block` loads 64 bytes or 128 and answers with a bit for each,
// in `Block::words` words.
// Included by sources that are compiled for one instruction set each, so everything here stays in their namespace, and
// nothing of the standard library that the linker could share between them is called in here.
#pragma once

#include "libvmscan/strings/printable.h"
#include "libvmscan/strings/run_counter.h"
#include "libvmscan/strings/text_masks.h"

namespace vmscan::kernels {
namespace {

constexpr std::size_t prefetched = 2048;  // bytes ahead

/// What is asked of the vectors: a code of four bits for each byte of a chunk, of the block before it and of the one
/// behind it. Everything else is worked out of whole rows of words.
///
///   0000  control characters              1111  C3 to DF: with any continuation a printable character
///   0001  tab, 20 to 7E                   0111  C2: with some
///   0010  00                              0101  E1, E3 to EC: with any two
///   1010  80 to 9F, continuations         1001  E0, E2, ED, EF: with some two; F0: with some three
///   1011  A0 to BF, continuations         1101  C0, C1, EE, F1 to FF: with none
struct Codes {
  using Row = Word[chunk_words + 3];  // a neighbour on each side, and what else the last Block writes
  Row bit3, bit2, bit1, bit0;

  void clear(std::size_t i) { bit3[i] = bit2[i] = bit1[i] = bit0[i] = 0; }
  void copy(std::size_t from, std::size_t to) {
    for (Word* const row : {bit3, bit2, bit1, bit0}) row[to] = row[from];
  }

  [[gnu::always_inline]] Word latin1(std::size_t i) const { return bit0[i]; }
  [[gnu::always_inline]] Word ascii(std::size_t i) const { return bit0[i] & ~(bit3[i] | bit2[i] | bit1[i]); }
  [[gnu::always_inline]] Word zero(std::size_t i) const { return bit1[i] & ~(bit3[i] | bit0[i]); }
  [[gnu::always_inline]] Word continuation(std::size_t i) const { return bit3[i] & ~bit2[i] & bit1[i]; }
  [[gnu::always_inline]] Word two(std::size_t i) const { return bit3[i] & bit2[i] & bit1[i]; }
  [[gnu::always_inline]] Word three(std::size_t i) const { return ~bit3[i] & bit2[i] & ~bit1[i]; }
  [[gnu::always_inline]] Word perhaps_two(std::size_t i) const { return ~bit3[i] & bit2[i] & bit1[i]; }
  [[gnu::always_inline]] Word perhaps_longer(std::size_t i) const { return bit3[i] & ~bit2[i] & ~bit1[i]; }
};

/// The codes for vectors that look up bytes by four bits: `usual` has the code, in its high half, by the high half of
/// the byte. What differs from it does so in one bit: it has a bit in both other tables, either that bit of the code or
/// the one four below.
///   80: E1, E3 to EC   40: E0, E2, ED, EF   20: 00       10: tab
///   08: C2             04: F0               02: C0, C1   01: 7F
struct CodeTables {
  static constexpr std::uint8_t usual[16] = {0x00, 0x00, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
                                             0xA0, 0xA0, 0xB0, 0xB0, 0xF0, 0xF0, 0xD0, 0xD0};
  static constexpr std::uint8_t high[16] = {0x30, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0x0A, 0, 0xC0, 0x04};
  static constexpr std::uint8_t low[16] = {0x66, 0x82, 0x48, 0x80, 0x80, 0x80, 0x80, 0x80,
                                           0x80, 0x90, 0x80, 0x80, 0x80, 0x40, 0x00, 0x41};
  /// The code of one byte, in the high half.
  static constexpr int code_of(std::size_t byte) {
    const int other = high[byte / 16] & low[byte % 16];
    return (usual[byte / 16] ^ other ^ other << 4) & 0xF0;
  }
};

/// Chunk by chunk: notes what the bytes are, then works on whole rows of words in plain loops, which compilers turn
/// into vector code. Only sequences of UTF-8 that are seldom are looked at one by one.
template <class Block>
class ChunkReader {
 public:
  ChunkReader(std::span<const std::uint8_t> bytes, const TextMaskOptions& options)
      : data_(bytes.data()), size_(bytes.size()), utf8_(options.utf8), skips_zeros_(!options.wide_be) {
    codes_.clear(0);
  }

  std::size_t blocks() const { return size_ / 64 + (size_ % 64 != 0 ? 1 : 0); }

  /// From block `first` on; in order. False, and nothing written: the chunk holds zeros only, and so no text.
  bool read(std::size_t first, std::size_t count, const ChunkMasks& out) {
    if (skips_zeros_ && only_zeros(first, count)) {
      codes_.clear(0);
      return false;
    }
    classify(first, count);
    if (out.text != nullptr && utf8_)
      write_text(first, count, out.text, out.inner);
    else if (out.text != nullptr)
      for (std::size_t i = 0; i < count; ++i) out.text[i] = codes_.ascii(i + 1), out.inner[i] = 0;
    // The last byte of all has no zero behind it: nothing lies behind the end.
    if (out.wide_le != nullptr) write_wide_le(out.wide_le, count);
    if (out.wide_be != nullptr) write_wide_be(out.wide_be, count);
    codes_.copy(count, 0);
    return true;
  }

 private:
  /// Whether the chunk holds nothing, as much of a process's memory does.
  bool only_zeros(std::size_t first, std::size_t count) const {
    if ((first + count) * 64 > size_ || count % Block::words != 0) return false;
    const auto zeros = [&](std::size_t i) { return Block(data_ + (first + i) * 64).is_zero(); };
    bool all = zeros(0) && zeros(count - Block::words);
    for (std::size_t i = Block::words; all && i + Block::words < count; i += Block::words) all = zeros(i);
    return all;
  }

  void classify(std::size_t first, std::size_t count) {
    const std::size_t whole = size_ / 64 - first;  // words
    const std::uint8_t* const data = data_ + first * 64;
    Codes& codes = codes_;
    std::size_t i = 0;
    for (; i <= count && i + Block::words <= whole; i += Block::words) {
      for (std::size_t k = 0; k < Block::words; ++k) __builtin_prefetch(data + (i + k) * 64 + prefetched);
      Block(data + i * 64).write(codes, i + 1);
    }
    for (; i <= count; i += Block::words) {
      alignas(64) std::uint8_t rest[64 * Block::words];
      copy_last((first + i) * 64, rest);
      Block(rest).write(codes_, i + 1);
    }
  }

  void copy_last(std::size_t at, std::uint8_t* last) const {
    for (std::size_t i = 0; i < 64 * Block::words; ++i)
      last[i] = at + i < size_ ? data_[at + i] : 1;  // 1 belongs to no text
  }

  void write_text(std::size_t first, std::size_t count, Word* __restrict text, Word* __restrict inner) {
    const Codes& c = codes_;
    Word any = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Word before = c.continuation(i), continuation = c.continuation(i + 1), next = c.continuation(i + 2);
      const Word one_more = down(continuation, next, 1), two_more = one_more & down(continuation, next, 2);
      const Word two = c.two(i + 1), three = c.three(i + 1), three_before = c.three(i);
      const Word second = up(two, c.two(i), 1) | (up(three, three_before, 1) & one_more);
      const Word third = up(three, three_before, 2) & up(continuation, before, 1);
      inner[i] = continuation & (second | third);
      text[i] = c.ascii(i + 1) | inner[i] | (two & one_more) | (three & two_more);
      const Word from_a0 = one_more & down(c.bit0[i + 1], c.bit0[i + 2], 1);
      doubtful_[i] = (c.perhaps_two(i + 1) & from_a0) | (c.perhaps_longer(i + 1) & two_more);
      any |= doubtful_[i];
    }
    inner[0] |= rest_;
    text[0] |= rest_;
    rest_ = 0;
    if (any != 0) settle_doubts(first, count, text, inner);
  }

  void settle_doubts(std::size_t first, std::size_t count, Word* __restrict text, Word* __restrict inner) {
    for (Word words = words_with_any(doubtful_, count); words != 0; words &= words - 1) {
      const auto i = static_cast<std::size_t>(__builtin_ctzll(words));
      const Sequences found = find_sequences(first + i, doubtful_[i]);
      const Word longer = found.three | found.four, all = found.two | longer;
      const Word here = all << 1 | longer << 2 | found.four << 3;
      inner[i] |= here;
      text[i] |= all | here;
      const Word beyond = all >> 63 | longer >> 62 | found.four >> 61;
      if (i + 1 < count)
        inner[i + 1] |= beyond, text[i + 1] |= beyond;
      else
        rest_ = beyond;
    }
  }

  /// Where printable sequences of UTF-8 begin, by their length.
  struct Sequences {
    Word two = 0, three = 0, four = 0;
  };

  Sequences find_sequences(std::size_t block, Word leads) const {
    Sequences found;
    for (; leads != 0; leads &= leads - 1) {
      const std::size_t at = block * 64 + static_cast<std::size_t>(__builtin_ctzll(leads));
      const std::size_t size = printable_utf8({data_ + at, size_ - at < 4 ? size_ - at : 4});
      const Word lead = leads & -leads;
      found.two |= size == 2 ? lead : 0;
      found.three |= size == 3 ? lead : 0;
      found.four |= size == 4 ? lead : 0;
    }
    return found;
  }

  void write_wide_le(Word* __restrict wide, std::size_t count) const {
    const Codes& c = codes_;
    for (std::size_t i = 0; i < count; ++i) wide[i] = c.latin1(i + 1) & down(c.zero(i + 1), c.zero(i + 2), 1);
  }
  void write_wide_be(Word* __restrict wide, std::size_t count) const {
    const Codes& c = codes_;
    for (std::size_t i = 0; i < count; ++i) wide[i] = c.zero(i + 1) & down(c.latin1(i + 1), c.latin1(i + 2), 1);
  }

  const std::uint8_t* data_;
  std::size_t size_;
  bool utf8_, skips_zeros_;
  Codes codes_;
  Word doubtful_[chunk_words];
  Word rest_ = 0;  // of a sequence that began in the chunk before, and was in doubt
};

/// Calls `take(first, count)` for each chunk.
template <class Take>
[[gnu::always_inline]] inline void each_chunk(std::size_t begin, std::size_t end, const Take& take) {
  for (std::size_t first = begin; first < end; first += chunk_words)
    take(first, end - first < chunk_words ? end - first : chunk_words);
}

template <class Block>
void fill_blocks(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
  resize(masks, bytes.size(), options);
  ChunkReader<Block> reader(bytes, options);
  each_chunk(0, reader.blocks(), [&](std::size_t first, std::size_t count) {
    const ChunkMasks out{options.text ? masks.text.data() + first : nullptr,
                         options.text ? masks.inner.data() + first : nullptr,
                         options.wide_le ? masks.wide_le.data() + first : nullptr,
                         options.wide_be ? masks.wide_be.data() + first : nullptr};
    if (!reader.read(first, count, out)) out.clear(count);
  });
}

template <class Block>
void count_blocks(std::span<const std::uint8_t> bytes, std::size_t begin, const TextMaskOptions& options,
                  std::size_t least, RunCount& runs) {
  ChunkReader<Block> reader(bytes, options);
  RunCounter counter(least, runs);
  each_chunk(begin / 64, reader.blocks(), [&](std::size_t first, std::size_t count) {
    if (!reader.read(first, count, counter.masks(options))) return counter.add_nothing(first);
    if (first * 64 < begin) counter.drop(begin % 64);
    counter.add(first, count);
  });
  counter.add_nothing(reader.blocks());
}

}  // namespace
}  // namespace vmscan::kernels
