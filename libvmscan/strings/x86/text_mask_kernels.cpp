// x86-64: what the processor has is asked for at run time.
#include <vector>

#include "libvmscan/strings/text_masks.h"

namespace vmscan {

std::span<const TextMaskKernel> text_mask_kernels() {
  static const std::vector<TextMaskKernel> all = [] {
    std::vector<TextMaskKernel> kernels{kernels::scalar};
    if (__builtin_cpu_supports("ssse3")) kernels.push_back(kernels::ssse3);
#ifdef VMSCAN_WIDE_VECTORS  // not on Windows: GCC does not align its stack for them there (GCC bug 54412)
    if (__builtin_cpu_supports("avx2")) kernels.push_back(kernels::avx2);
    if (__builtin_cpu_supports("avx512bw")) kernels.push_back(kernels::avx512);
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("gfni")) kernels.push_back(kernels::avx512vbmi);
#endif
    return kernels;
  }();
  return all;
}

}  // namespace vmscan
