// The PROCMAP_QUERY ioctl on /proc/PID/maps (Linux 6.11; include/uapi/linux/fs.h), for single look-ups.
#pragma once

#include <cstdint>
#include <optional>

#include "libvmscan/base/range.h"

namespace vmscan {

/// Size in bytes of the pages of the mapping with `address`; nothing where the kernel cannot be asked.
std::optional<std::uint64_t> query_page_size(int maps_fd, Address address);

}  // namespace vmscan
