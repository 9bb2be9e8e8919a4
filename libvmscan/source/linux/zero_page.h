// The shared zero page: what an untouched anonymous page shows when it is only read.
#pragma once

#include <cstdint>

namespace vmscan {

/// Its frame number, learnt from a page of our own; 0 without the right to see frame numbers (CAP_SYS_ADMIN) and where
/// the architecture has more than one zero page.
std::uint64_t zero_page_frame(std::uint64_t page_size);

}  // namespace vmscan
