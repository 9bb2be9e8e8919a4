#include "libvmscan/heap/chunk_reader.h"

#include <algorithm>

namespace vmscan {
namespace {

// process_vm_readv is fastest in pieces of 256 KiB to 1 MiB, and what fits into a cache is faster still.
constexpr std::size_t window_bytes = 256 << 10;

}  // namespace

ChunkReader::ChunkReader(const TargetMemory& memory, Range range)
    : memory_(memory), range_(range), in_ram_(memory.readable(range)) {}

/// A header in a page that was not in RAM (swapped out, or new since) is read alone: nothing else is pulled in.
const std::byte* ChunkReader::fill(Address address, std::size_t size) {
  if (!range_.contains(address)) return nullptr;
  const auto run =
      std::partition_point(in_ram_.begin(), in_ram_.end(), [&](const Range& each) { return each.end <= address; });
  std::uint64_t count = size;
  if (run != in_ram_.end() && run->contains(address))
    count = std::max(count, std::min<std::uint64_t>(run->end - address, window_bytes));
  window_.resize(std::max(window_.size(), static_cast<std::size_t>(count)));
  begin_ = address;
  filled_ = memory_.read(address, std::span(window_).first(static_cast<std::size_t>(count)));
  return filled_ >= size ? window_.data() : nullptr;
}

}  // namespace vmscan
