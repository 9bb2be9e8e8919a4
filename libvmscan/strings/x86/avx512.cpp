#include <immintrin.h>

#include "libvmscan/strings/run_starts.h"
#include "libvmscan/strings/x86/block_kernel.h"

namespace vmscan::kernels {
namespace {

class Avx512Block {
 public:
  static constexpr std::size_t words = 1;
  explicit Avx512Block(const std::uint8_t* at) : bytes_(_mm512_loadu_si512(at)) {}
  [[gnu::always_inline]] void write(Codes& codes, std::size_t i) const {
    const __m512i found = codes_of();
    const auto bit = [&](int value) {
      return _mm512_test_epi8_mask(found, _mm512_set1_epi8(static_cast<char>(value)));
    };
    codes.bit3[i] = _mm512_movepi8_mask(found);
    codes.bit2[i] = bit(0x40);
    codes.bit1[i] = bit(0x20);
    codes.bit0[i] = bit(0x10);
  }
  bool is_zero() const { return _mm512_test_epi8_mask(bytes_, bytes_) == 0; }

 private:
  /// In the high halves of the bytes.
  [[gnu::always_inline]] __m512i codes_of() const {
    const auto table = [](const std::uint8_t* bytes) {
      return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    };
    const __m512i four_bits = _mm512_set1_epi8(0x0F),
                  by_high = _mm512_and_si512(_mm512_srli_epi16(bytes_, 4), four_bits),
                  by_low = _mm512_and_si512(bytes_, four_bits);
    const __m512i other = _mm512_and_si512(_mm512_shuffle_epi8(table(CodeTables::high), by_high),
                                           _mm512_shuffle_epi8(table(CodeTables::low), by_low));
    return _mm512_xor_si512(_mm512_shuffle_epi8(table(CodeTables::usual), by_high),
                            _mm512_xor_si512(other, _mm512_slli_epi16(other, 4)));
  }
  __m512i bytes_;
};

}  // namespace

const TextMaskKernel avx512{"avx512", fill_blocks<Avx512Block>, find_run_starts, count_blocks<Avx512Block>};

}  // namespace vmscan::kernels
