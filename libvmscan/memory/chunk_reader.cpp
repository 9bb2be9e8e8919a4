#include "libvmscan/memory/chunk_reader.h"

#include <algorithm>

#include "libvmscan/base/run_on_threads.h"

namespace vmscan {
namespace {

// process_vm_readv is fastest in pieces of 256 KiB to 1 MiB, and what fits into a cache is faster still. Another thread
// for each of them costs a tenth of the time that it saves.
constexpr std::size_t window_bytes = 512 << 10;
constexpr std::size_t overlap = 64;  // with the window before: what is asked for may begin there

}  // namespace

ChunkReader::ChunkReader(const TargetMemory& memory, Range range, Address near, Ahead ahead)
    : memory_(memory),
      range_(range),
      reads_ahead_(ahead == Ahead::Yes && processors() > 1),
      in_ram_(memory.readable({range.begin, std::min(range.end, near)})) {}

/// A header in a page that was not in RAM (swapped out, or new since) is read alone: nothing else is pulled in.
const std::byte* ChunkReader::fill(Address address, std::size_t size, Read read_alone) {
  if (!range_.contains(address)) return nullptr;
  near_ = 0;
  if (!take_next(address, size)) {
    const bool goes_on = window_.filled == window_bytes && address - window_.begin <= window_bytes;
    const std::uint64_t in_ram = std::min<std::uint64_t>(in_ram_from(address), window_bytes);
    if (in_ram >= size)
      read(window_, address, in_ram, &TargetMemory::read);
    else
      read(window_, address, size, read_alone);
    if (goes_on) read_ahead();
  }
  return inside(address, size);
}

/// Whether what was read ahead is what is needed now; it is given up otherwise.
bool ChunkReader::take_next(Address address, std::size_t size) {
  if (!reading_.valid()) return false;
  reading_.get();
  std::swap(window_, next_);
  if (inside(address, size) == nullptr) return false;
  read_ahead();
  return true;
}

void ChunkReader::read_ahead() {
  const auto next = Range::make(window_.begin, window_bytes - overlap);
  if (!reads_ahead_ || window_.filled != window_bytes || !next) return;
  const std::uint64_t size = std::min<std::uint64_t>(in_ram_from(next->end), window_bytes);
  if (size <= overlap) return;
  reading_ = std::async(beside_if_possible,
                        [this, begin = next->end, size] { read(next_, begin, size, &TargetMemory::read); });
}

/// How much is in RAM from there on without a gap.
std::uint64_t ChunkReader::in_ram_from(Address address) const {
  const auto run =
      std::partition_point(in_ram_.begin(), in_ram_.end(), [&](const Range& each) { return each.end <= address; });
  return run != in_ram_.end() && run->contains(address) ? run->end - address : 0;
}

void ChunkReader::read(Window& window, Address begin, std::uint64_t size, Read how) const {
  window.bytes.resize(std::max(window.bytes.size(), static_cast<std::size_t>(size)));
  window.begin = begin;
  window.filled = (memory_.*how)(begin, std::span(window.bytes).first(static_cast<std::size_t>(size)));
}

}  // namespace vmscan
