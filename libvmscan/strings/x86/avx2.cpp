#include <immintrin.h>

#include "libvmscan/strings/run_starts.h"
#include "libvmscan/strings/x86/block_kernel.h"

namespace vmscan::kernels {
namespace {

class Avx2Block {
 public:
  static constexpr std::size_t words = 1;
  explicit Avx2Block(const std::uint8_t* at)
      : low_(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))),
        high_(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32))) {}
  [[gnu::always_inline]] void write(Codes& codes, std::size_t i) const {
    const __m256i low = codes_of(low_), high = codes_of(high_);
    put(codes.bit3[i], low, high);
    put(codes.bit2[i], _mm256_slli_epi16(low, 1), _mm256_slli_epi16(high, 1));
    put(codes.bit1[i], _mm256_slli_epi16(low, 2), _mm256_slli_epi16(high, 2));
    put(codes.bit0[i], _mm256_slli_epi16(low, 3), _mm256_slli_epi16(high, 3));
  }
  bool is_zero() const {
    const __m256i any = _mm256_or_si256(low_, high_);
    return _mm256_testz_si256(any, any) != 0;
  }

 private:
  /// In the high halves of the bytes.
  static __m256i codes_of(__m256i half) {
    const auto table = [](const std::uint8_t* bytes) {
      return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    };
    const __m256i four_bits = _mm256_set1_epi8(0x0F), by_high = _mm256_and_si256(_mm256_srli_epi16(half, 4), four_bits),
                  by_low = _mm256_and_si256(half, four_bits);
    const __m256i other = _mm256_and_si256(_mm256_shuffle_epi8(table(CodeTables::high), by_high),
                                           _mm256_shuffle_epi8(table(CodeTables::low), by_low));
    return _mm256_xor_si256(_mm256_shuffle_epi8(table(CodeTables::usual), by_high),
                            _mm256_xor_si256(other, _mm256_slli_epi16(other, 4)));
  }
  /// The highest bits. Each half is stored for itself (-fno-store-merging), which spares putting them together.
  [[gnu::always_inline]] static void put(Word& word, __m256i low, __m256i high) {
    const int halves[] = {_mm256_movemask_epi8(low), _mm256_movemask_epi8(high)};
    auto* const to = reinterpret_cast<char*>(&word);
    __builtin_memcpy(to, &halves[0], sizeof halves[0]);
    __builtin_memcpy(to + sizeof halves[0], &halves[1], sizeof halves[1]);
  }
  __m256i low_, high_;
};

}  // namespace

const TextMaskKernel avx2{"avx2", fill_blocks<Avx2Block>, find_run_starts, count_blocks<Avx2Block>};

}  // namespace vmscan::kernels
