#include <immintrin.h>

#include "libvmscan/strings/run_starts.h"
#include "libvmscan/strings/x86/block_kernel.h"

namespace vmscan::kernels {
namespace {

class Avx512Block {
 public:
  explicit Avx512Block(const std::uint8_t* at) : bytes_(_mm512_loadu_si512(at)) {}
  Word in_range(int low, int high) const {
    return _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes_, _mm512_set1_epi8(static_cast<char>(low))),
                                  _mm512_set1_epi8(static_cast<char>(high - low)));
  }
  Word at_least(int value) const { return _mm512_cmpge_epu8_mask(bytes_, _mm512_set1_epi8(static_cast<char>(value))); }
  Word ascii() const {
    const __m512i from_space = _mm512_sub_epi8(bytes_, _mm512_set1_epi8(0x20));
    return _kor_mask64(_mm512_cmple_epu8_mask(from_space, _mm512_set1_epi8('~' - 0x20)),
                       _mm512_cmpeq_epi8_mask(bytes_, _mm512_set1_epi8('\t')));
  }
  Word continuation() const { return _mm512_cmplt_epi8_mask(bytes_, _mm512_set1_epi8(static_cast<char>(0xC0))); }
  Word equals(int value) const { return _mm512_cmpeq_epi8_mask(bytes_, _mm512_set1_epi8(static_cast<char>(value))); }

 private:
  __m512i bytes_;
};

}  // namespace

void fill_avx512(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
  fill_blocks<Avx512Block>(bytes, options, masks);
}

void find_starts_avx512(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts) {
  find_run_starts(masks, begin, least, starts);
}

}  // namespace vmscan::kernels
