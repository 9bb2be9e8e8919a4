#include "libvmscan/source/windows/layout/process_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libvmscan/base/little_endian.h"

namespace vmscan {
namespace {

struct Offsets {
  unsigned word;  // bytes of a pointer
  std::uint64_t teb_stack_base, teb_stack_limit, teb_self, teb_peb, teb_deallocation_stack;
  std::uint64_t peb_process_heap, peb_number_of_heaps, peb_process_heaps;
  std::uint64_t heap_signature, segment_heap;
};

constexpr Offsets offsets_64{8, 0x08, 0x10, 0x30, 0x60, 0x1478, 0x30, 0xe8, 0xf0, 0x10, 0x28};
constexpr Offsets offsets_32{4, 0x04, 0x08, 0x18, 0x30, 0xe0c, 0x18, 0x88, 0x90, 0x08, 0x18};

constexpr std::uint32_t nt_heap = 0xffeeffee, segment_heap = 0xddeeddee;
constexpr std::uint32_t most_heaps = 65536;  // ntdll keeps heap numbers in 16 bits

const Offsets& offsets_of(unsigned pointer_bits) { return pointer_bits == 32 ? offsets_32 : offsets_64; }

std::optional<std::uint64_t> read_number(const MemoryReader& memory, Address address, std::uint64_t offset,
                                         unsigned width) {
  std::array<std::byte, 8> bytes{};
  if (!Range::make(address, offset + width) || !memory.read_whole(address + offset, std::span(bytes).first(width)))
    return std::nullopt;
  return number_at(bytes, 0, width);
}

}  // namespace

std::optional<ThreadBlock> read_thread_block(const MemoryReader& memory, Address teb, unsigned pointer_bits) {
  const Offsets& at = offsets_of(pointer_bits);
  if (teb == 0 || read_number(memory, teb, at.teb_self, at.word) != teb) return std::nullopt;
  const auto base = read_number(memory, teb, at.teb_stack_base, at.word);
  const auto limit = read_number(memory, teb, at.teb_stack_limit, at.word);
  const auto peb = read_number(memory, teb, at.teb_peb, at.word);
  if (!base || !limit || !peb || *limit >= *base) return std::nullopt;
  ThreadBlock block{.stack_base = *base, .stack_limit = *limit, .stack_reserve = {}, .peb = *peb};
  const auto reserve = read_number(memory, teb, at.teb_deallocation_stack, at.word);
  if (reserve && *reserve != 0 && *reserve <= *limit) block.stack_reserve = *reserve;
  return block;
}

std::vector<Address> read_heap_list(const MemoryReader& memory, Address peb, unsigned pointer_bits) {
  const Offsets& at = offsets_of(pointer_bits);
  std::vector<Address> heaps;
  const std::uint64_t count = read_number(memory, peb, at.peb_number_of_heaps, 4).value_or(0);
  const auto list = read_number(memory, peb, at.peb_process_heaps, at.word);
  if (list && *list != 0 && count <= most_heaps)
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto heap = read_number(memory, *list, i * at.word, at.word);
      if (!heap) break;
      heaps.push_back(*heap);
    }
  const auto first = read_number(memory, peb, at.peb_process_heap, at.word);
  if (heaps.empty() && first && *first != 0) heaps.push_back(*first);
  return heaps;
}

std::optional<HeapSegment> heap_segment_at(const MemoryReader& memory, Address base, unsigned pointer_bits,
                                           const std::vector<Address>& heaps) {
  const Offsets& at = offsets_of(pointer_bits);
  const auto place = [&](Address heap) -> std::optional<unsigned> {
    const auto found = std::find(heaps.begin(), heaps.end(), heap);
    return found == heaps.end() ? std::nullopt : std::optional(static_cast<unsigned>(found - heaps.begin()) + 1);
  };
  if (const auto number = place(base))
    return HeapSegment{.base = base, .heap = number, .evidence = "the PEB lists a heap here"};
  const auto signature = read_number(memory, base, at.heap_signature, 4);
  if (signature != nt_heap && signature != segment_heap) return std::nullopt;
  HeapSegment segment{.base = base, .heap = {}, .evidence = fmt::format("holds the signature {:#x}", *signature)};
  const auto owner = read_number(memory, base, at.segment_heap, at.word);
  if (signature == nt_heap && owner) segment.heap = place(*owner);
  return segment;
}

}  // namespace vmscan
