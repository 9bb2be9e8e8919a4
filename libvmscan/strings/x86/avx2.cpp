#include <immintrin.h>

#include "libvmscan/strings/run_starts.h"
#include "libvmscan/strings/x86/block_kernel.h"

namespace vmscan::kernels {
namespace {

class Avx2Block {
 public:
  explicit Avx2Block(const std::uint8_t* at)
      : low_(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))),
        high_(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32))) {}
  Word in_range(int low, int high) const {
    const __m256i base = _mm256_set1_epi8(static_cast<char>(low)),
                  size = _mm256_set1_epi8(static_cast<char>(high - low));
    const __m256i a = _mm256_sub_epi8(low_, base), b = _mm256_sub_epi8(high_, base);
    return bits(_mm256_cmpeq_epi8(_mm256_min_epu8(a, size), a), _mm256_cmpeq_epi8(_mm256_min_epu8(b, size), b));
  }
  Word at_least(int value) const {
    const __m256i least = _mm256_set1_epi8(static_cast<char>(value));
    return bits(_mm256_cmpeq_epi8(_mm256_max_epu8(low_, least), low_),
                _mm256_cmpeq_epi8(_mm256_max_epu8(high_, least), high_));
  }
  Word ascii() const {
    const auto is = [](__m256i half) {
      const __m256i from_space = _mm256_sub_epi8(half, _mm256_set1_epi8(0x20)), size = _mm256_set1_epi8('~' - 0x20);
      return _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(from_space, size), from_space),
                             _mm256_cmpeq_epi8(half, _mm256_set1_epi8('\t')));
    };
    return bits(is(low_), is(high_));
  }
  Word continuation() const {
    const __m256i end = _mm256_set1_epi8(static_cast<char>(0xC0));  // as signed numbers: from -128 on
    return bits(_mm256_cmpgt_epi8(end, low_), _mm256_cmpgt_epi8(end, high_));
  }
  Word equals(int value) const {
    const __m256i wanted = _mm256_set1_epi8(static_cast<char>(value));
    return bits(_mm256_cmpeq_epi8(low_, wanted), _mm256_cmpeq_epi8(high_, wanted));
  }

 private:
  static Word bits(__m256i low, __m256i high) {
    return static_cast<unsigned>(_mm256_movemask_epi8(low)) |
           static_cast<Word>(static_cast<unsigned>(_mm256_movemask_epi8(high))) << 32;
  }
  __m256i low_, high_;
};

}  // namespace

void fill_avx2(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
  fill_blocks<Avx2Block>(bytes, options, masks);
}

void find_starts_avx2(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts) {
  find_run_starts(masks, begin, least, starts);
}

}  // namespace vmscan::kernels
