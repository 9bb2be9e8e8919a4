#include "libvmscan/base/file_bytes.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace vmscan {

bool may_act(std::string_view path) {
  return path.starts_with("/dev/") || path.starts_with("/proc/") || path.starts_with("/sys/");
}

FileBytes bytes_of(std::vector<std::byte> content) {
  const std::uint64_t size = content.size();
  auto shared = std::make_shared<const std::vector<std::byte>>(std::move(content));
  return {.size = size, .read = [shared](std::uint64_t offset, std::span<std::byte> buffer) -> std::size_t {
            if (offset >= shared->size()) return 0;
            const std::size_t count = std::min(buffer.size(), shared->size() - static_cast<std::size_t>(offset));
            std::copy_n(shared->begin() + static_cast<std::ptrdiff_t>(offset), count, buffer.begin());
            return count;
          }};
}

}  // namespace vmscan
