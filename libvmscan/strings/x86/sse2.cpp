#include <emmintrin.h>

#include "libvmscan/strings/run_starts.h"
#include "libvmscan/strings/x86/block_kernel.h"

namespace vmscan::kernels {
namespace {

class Sse2Block {
 public:
  explicit Sse2Block(const std::uint8_t* at) {
    for (int i = 0; i < 4; ++i) parts_[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
  }
  Word in_range(int low, int high) const {
    const __m128i base = _mm_set1_epi8(static_cast<char>(low)), size = _mm_set1_epi8(static_cast<char>(high - low));
    return gather([&](__m128i part) {
      const __m128i offset = _mm_sub_epi8(part, base);
      return _mm_cmpeq_epi8(_mm_min_epu8(offset, size), offset);
    });
  }
  Word at_least(int value) const {
    const __m128i least = _mm_set1_epi8(static_cast<char>(value));
    return gather([&](__m128i part) { return _mm_cmpeq_epi8(_mm_max_epu8(part, least), part); });
  }
  Word ascii() const {
    return gather([](__m128i part) {
      const __m128i from_space = _mm_sub_epi8(part, _mm_set1_epi8(0x20)), size = _mm_set1_epi8('~' - 0x20);
      return _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(from_space, size), from_space),
                          _mm_cmpeq_epi8(part, _mm_set1_epi8('\t')));
    });
  }
  Word continuation() const {
    const __m128i end = _mm_set1_epi8(static_cast<char>(0xC0));  // as signed numbers: from -128 on
    return gather([&](__m128i part) { return _mm_cmplt_epi8(part, end); });
  }
  Word equals(int value) const {
    const __m128i wanted = _mm_set1_epi8(static_cast<char>(value));
    return gather([&](__m128i part) { return _mm_cmpeq_epi8(part, wanted); });
  }

 private:
  template <class Compare>
  Word gather(const Compare& compare) const {
    Word bits = 0;
    for (int i = 0; i < 4; ++i)
      bits |= static_cast<Word>(static_cast<unsigned>(_mm_movemask_epi8(compare(parts_[i])))) << 16 * i;
    return bits;
  }
  __m128i parts_[4];
};

}  // namespace

void fill_sse2(std::span<const std::uint8_t> bytes, const TextMaskOptions& options, TextMasks& masks) {
  fill_blocks<Sse2Block>(bytes, options, masks);
}

void find_starts_sse2(const TextMasks& masks, std::size_t begin, std::size_t least, RunStarts& starts) {
  find_run_starts(masks, begin, least, starts);
}

}  // namespace vmscan::kernels
