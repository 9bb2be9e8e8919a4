// x86-64: SSE2 is everywhere, the others are asked for at run time.
#include <vector>

#include "libvmscan/strings/text_masks.h"

namespace vmscan {

std::span<const TextMaskKernel> text_mask_kernels() {
  static const std::vector<TextMaskKernel> all = [] {
    std::vector<TextMaskKernel> kernels{{"scalar", kernels::fill_scalar, kernels::find_starts_scalar},
                                        {"sse2", kernels::fill_sse2, kernels::find_starts_sse2}};
#ifdef VMSCAN_WIDE_VECTORS  // not on Windows: GCC does not align its stack for them there (GCC bug 54412)
    if (__builtin_cpu_supports("avx2")) kernels.push_back({"avx2", kernels::fill_avx2, kernels::find_starts_avx2});
    if (__builtin_cpu_supports("avx512bw"))
      kernels.push_back({"avx512", kernels::fill_avx512, kernels::find_starts_avx512});
#endif
    return kernels;
  }();
  return all;
}

}  // namespace vmscan
