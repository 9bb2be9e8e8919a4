#include <immintrin.h>

#include "libvmscan/strings/run_starts.h"
#include "libvmscan/strings/x86/block_kernel.h"

namespace vmscan::kernels {
namespace {

struct Bytes64 {
  std::uint8_t at[64] = {};
};

template <class ByteAt>
constexpr Bytes64 bytes_64(ByteAt byte_at) {
  Bytes64 bytes;
  for (std::size_t i = 0; i < 64; ++i) bytes.at[i] = static_cast<std::uint8_t>(byte_at(i));
  return bytes;
}

/// The codes of all bytes: `Shift` bits below the high halves.
template <int Shift>
struct AllCodes {
  static constexpr Bytes64 quarter(std::size_t n) {
    return bytes_64([n](std::size_t i) { return CodeTables::code_of(64 * n + i) >> Shift; });
  }
  alignas(64) static constexpr Bytes64 quarters[4] = {quarter(0), quarter(1), quarter(2), quarter(3)};
};

/// The bytes of each word the other way round.
alignas(64) constexpr Bytes64 reversed = bytes_64([](std::size_t i) { return i ^ 7; });

/// From eight words with a byte for each bit of the codes to a word for each bit, first and second block in turn.
alignas(64) constexpr Bytes64 by_bit = bytes_64([](std::size_t i) {
  return i % 8 * 8 + (i / 8 % 2 == 0 ? 7 : 3) - i / 16;
});

/// Looks codes up by whole bytes, and turns bytes into bits for two blocks at once.
class Avx512VbmiBlock {
 public:
  static constexpr std::size_t words = 2;
  explicit Avx512VbmiBlock(const std::uint8_t* at)
      : first_(_mm512_loadu_si512(at)), second_(_mm512_loadu_si512(at + 64)) {}
  [[gnu::always_inline]] void write(Codes& codes, std::size_t i) const {
    const __m512i found = _mm512_or_si512(look_up<0>(first_), look_up<4>(second_));
    // vgf2p8affineqb multiplies each byte of its first argument by a matrix of 8 x 8 bits, whose last row comes first.
    // So eight bytes with one bit each take out its columns.
    const __m512i columns = _mm512_set1_epi64(static_cast<long long>(0x8040201008040201U));
    const __m512i turned = _mm512_gf2p8affine_epi64_epi8(columns, _mm512_permutexvar_epi8(load(reversed), found), 0);
    const __m512i bits = _mm512_permutexvar_epi8(load(by_bit), turned);
    put(codes.bit3 + i, _mm512_castsi512_si128(bits));
    put(codes.bit2 + i, _mm512_extracti32x4_epi32(bits, 1));
    put(codes.bit1 + i, _mm512_extracti32x4_epi32(bits, 2));
    put(codes.bit0 + i, _mm512_extracti32x4_epi32(bits, 3));
  }
  bool is_zero() const {
    const __m512i any = _mm512_or_si512(first_, second_);
    return _mm512_test_epi8_mask(any, any) == 0;
  }

 private:
  [[gnu::always_inline]] static __m512i load(const Bytes64& bytes) { return _mm512_load_si512(bytes.at); }
  template <int Shift>
  [[gnu::always_inline]] static __m512i look_up(__m512i bytes) {
    const auto& codes = AllCodes<Shift>::quarters;
    const __m512i below_80 = _mm512_permutex2var_epi8(load(codes[0]), bytes, load(codes[1]));
    const __m512i from_80 = _mm512_permutex2var_epi8(load(codes[2]), bytes, load(codes[3]));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), below_80, from_80);
  }
  [[gnu::always_inline]] static void put(Word* to, __m128i two) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), two);
  }
  __m512i first_, second_;
};

}  // namespace

const TextMaskKernel avx512vbmi{"avx512vbmi", fill_blocks<Avx512VbmiBlock>, find_run_starts,
                                count_blocks<Avx512VbmiBlock>};

}  // namespace vmscan::kernels
