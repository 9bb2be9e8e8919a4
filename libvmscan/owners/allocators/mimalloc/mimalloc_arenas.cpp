#include <algorithm>

#include "libvmscan/owners/allocators/mimalloc/mimalloc.h"

namespace vmscan {
namespace {

constexpr std::uint64_t slice_bytes = 64 << 10;
constexpr std::size_t header_bytes = 80, subprocess_word = 3, first_count = 4, last_count = 8;
constexpr std::uint64_t most_subprocess_bytes = 4096;
constexpr std::size_t most_arenas = 1 << 12;

/// `place` is where the pointer to it stands.
std::optional<Range> arena_at(PageCache& cache, Address begin, Address place) {
  const auto bytes = cache.at(begin, header_bytes);
  if (bytes.empty()) return std::nullopt;
  const auto word = [&](std::size_t i) { return cache.memory().word_at(bytes, 8 * i); };
  const Address subprocess = word(subprocess_word);
  const auto arena = Range::make(begin, word(1));
  if (word(0) != begin || !arena || arena->empty() || arena->size() % slice_bytes != 0 || subprocess > place ||
      place - subprocess >= most_subprocess_bytes || !cache.memory().mapped(*arena))
    return std::nullopt;
  for (std::size_t i = first_count; i <= last_count; ++i)
    if (const std::uint64_t slices = word(i);
        slices == arena->size() / slice_bytes && word(i + 1) > 0 && word(i + 1) < slices)
      return arena;
  return std::nullopt;
}

}  // namespace

std::vector<Range> find_mimalloc_arenas(const TargetMemory& memory) {
  if (memory.word_bytes() != 8) return {};
  std::vector<Range> arenas;
  PageCache cache(memory);
  for (const Range& bss : memory.image_bss())
    for_each_piece(memory, bss, [&](Address at, std::span<const std::byte> bytes) {
      for (std::size_t i = 0; i + 8 <= bytes.size() && arenas.size() < most_arenas; i += 8) {
        const Address begin = memory.word_at(bytes, i);
        if (begin == 0 || begin % slice_bytes != 0 || !memory.writable(begin)) continue;
        if (const auto arena = arena_at(cache, begin, at + i)) arenas.push_back(*arena);
      }
      return true;
    });
  return joined(std::move(arenas));
}

}  // namespace vmscan
