// Processors without vector code of their own here.
#include <array>

#include "libvmscan/strings/text_masks.h"

namespace vmscan {

std::span<const TextMaskKernel> text_mask_kernels() {
  static constexpr std::array<TextMaskKernel, 1> all{{{"scalar", kernels::fill_scalar, kernels::find_starts_scalar}}};
  return all;
}

}  // namespace vmscan
