#include <tmmintrin.h>

#include "libvmscan/strings/run_starts.h"
#include "libvmscan/strings/x86/block_kernel.h"

namespace vmscan::kernels {
namespace {

class Ssse3Block {
 public:
  static constexpr std::size_t words = 1;
  explicit Ssse3Block(const std::uint8_t* at) {
    for (int i = 0; i < 4; ++i) parts_[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
  }
  [[gnu::always_inline]] void write(Codes& codes, std::size_t i) const {
    const __m128i found[4] = {codes_of(parts_[0]), codes_of(parts_[1]), codes_of(parts_[2]), codes_of(parts_[3])};
    codes.bit3[i] = gather(found, 0);
    codes.bit2[i] = gather(found, 1);
    codes.bit1[i] = gather(found, 2);
    codes.bit0[i] = gather(found, 3);
  }
  bool is_zero() const {
    const __m128i any = _mm_or_si128(_mm_or_si128(parts_[0], parts_[1]), _mm_or_si128(parts_[2], parts_[3]));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) == 0xFFFF;
  }

 private:
  /// In the high halves of the bytes.
  static __m128i codes_of(__m128i part) {
    const auto table = [](const std::uint8_t* bytes) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    };
    const __m128i four_bits = _mm_set1_epi8(0x0F), by_high = _mm_and_si128(_mm_srli_epi16(part, 4), four_bits),
                  by_low = _mm_and_si128(part, four_bits);
    const __m128i other = _mm_and_si128(_mm_shuffle_epi8(table(CodeTables::high), by_high),
                                        _mm_shuffle_epi8(table(CodeTables::low), by_low));
    return _mm_xor_si128(_mm_shuffle_epi8(table(CodeTables::usual), by_high),
                         _mm_xor_si128(other, _mm_slli_epi16(other, 4)));
  }
  /// Of each byte the bit that lies so far below the highest.
  [[gnu::always_inline]] static Word gather(const __m128i* found, int below) {
    Word bits = 0;
    for (int i = 0; i < 4; ++i)
      bits |= static_cast<Word>(static_cast<unsigned>(_mm_movemask_epi8(_mm_slli_epi16(found[i], below)))) << 16 * i;
    return bits;
  }
  __m128i parts_[4];
};

}  // namespace

const TextMaskKernel ssse3{"ssse3", fill_blocks<Ssse3Block>, find_run_starts, count_blocks<Ssse3Block>};

}  // namespace vmscan::kernels
