// Processors without vector code of their own here.
#include "libvmscan/strings/text_masks.h"

namespace vmscan {

std::span<const TextMaskKernel> text_mask_kernels() { return {&kernels::scalar, 1}; }

}  // namespace vmscan
