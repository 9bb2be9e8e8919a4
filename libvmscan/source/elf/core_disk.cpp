#include "libvmscan/source/elf/core_disk.h"

#include <algorithm>
#include <array>

#include "libvmscan/base/zero_bytes.h"
#include "libvmscan/elf/elf_image.h"

namespace vmscan {
namespace {

constexpr std::size_t piece_bytes = 64 << 10;

/// Only plain absolute paths: nothing of /dev or /proc, whose files can be more than bytes, and no way out of the root.
bool may_open(const std::string& path) {
  if (!path.starts_with('/') || path.find('\0') != std::string::npos) return false;
  if ((path + '/').find("/../") != std::string::npos) return false;
  return !may_act(path);
}

/// Reads on over short reads; false at a hole.
bool read_all(const MemoryReader& memory, Address address, std::span<std::byte> buffer) {
  while (!buffer.empty()) {
    const auto count = memory.read_some(address, buffer);
    if (!count || *count == 0) return false;
    buffer = buffer.subspan(*count);
    address += *count;
  }
  return true;
}

bool any_set(const MemoryReader& memory, Address address, std::span<std::byte> buffer) {
  const auto count = memory.read_some(address, buffer);
  return count && !all_zero(buffer.first(*count));
}

}  // namespace

std::optional<DiskFile> open_disk_image(const std::string& root, const std::string& path, bool sections) {
  if (!may_open(path)) return std::nullopt;
  auto file = open_file_below(root, path);
  if (!file) return std::nullopt;
  auto image = read_elf_image(file->read, {.sections = sections});
  if (!image) return std::nullopt;
  return DiskFile{std::move(*file), std::move(*image)};
}

Bytes changed_bytes(const MemoryReader& memory, Range range, const FileBytes& file, std::uint64_t offset,
                    std::uint64_t page_size) {
  std::vector<std::byte> ours(piece_bytes), theirs(piece_bytes);
  const auto page = static_cast<std::size_t>(std::min<std::uint64_t>(page_size, piece_bytes));
  std::uint64_t changed = 0;
  for (std::uint64_t done = 0; done < range.size(); done += piece_bytes) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, range.size() - done));
    const std::span<std::byte> mine = std::span(ours).first(size);
    if (!read_all(memory, range.begin + done, mine)) return {};
    std::fill(theirs.begin(), theirs.end(), std::byte{0});  // behind its end, a page of a file is zero
    if (offset + done >= file.size || file.read(offset + done, std::span(theirs).first(size)) == 0) return {};
    for (std::size_t at = 0; at < size; at += page) {
      const std::size_t length = std::min(page, size - at);
      if (!std::equal(mine.begin() + static_cast<std::ptrdiff_t>(at),
                      mine.begin() + static_cast<std::ptrdiff_t>(at + length),
                      theirs.begin() + static_cast<std::ptrdiff_t>(at)))
        changed += length;
    }
  }
  return changed;
}

bool every_page_holds_something(const MemoryReader& memory, Range range, std::uint64_t page_size) {
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(page_size, piece_bytes)));
  for (Address at = range.begin; at < range.end; at += std::min<std::uint64_t>(buffer.size(), range.end - at)) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), range.end - at));
    if (!any_set(memory, at, std::span(buffer).first(size))) return false;
  }
  return true;
}

bool holds_anything(const MemoryReader& memory, Range range) {
  constexpr std::uint64_t samples = 64, sample_bytes = 4096;
  std::vector<std::byte> buffer(piece_bytes);
  const auto first = static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, range.size()));
  if (any_set(memory, range.begin, std::span(buffer).first(first))) return true;
  const std::uint64_t step = range.size() / samples / sample_bytes * sample_bytes;
  for (std::uint64_t i = 1; step >= sample_bytes && i < samples; ++i)
    if (any_set(memory, range.begin + i * step, std::span(buffer).first(sample_bytes))) return true;
  return false;
}

}  // namespace vmscan
